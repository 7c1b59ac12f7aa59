import type { Vendor } from './vendor.ts';

const JSON_BODY = { 'content-type': 'application/json' };

export const github: Vendor = {
  folder: 'github',
  origins: ['https://api.github.com'],
  service: 'github',
  seed: {
    users: [{ login: 'ada', name: 'Ada' }],
    repos: [{ owner: 'ada', name: 'notes', auto_init: true }],
  },
  credentials: { 'github-token': 'ghp_1' },
  headers: {
    accept: 'application/vnd.github+json',
    'x-github-api-version': '2022-11-28',
    authorization: 'Bearer ghp_1',
  },
  operations: [
    {
      tool: 'github_create_issue',
      args: { owner: 'ada', repo: 'notes', title: 'Grüße & "quotes"', body: 'a\nb', labels: ['bug', 'a b'] },
      request: 'POST /repos/ada/notes/issues',
      headers: JSON_BODY,
      body: '{"title":"Grüße & \\"quotes\\"","body":"a\\nb","labels":["bug","a b"]}',
      learn: { issue: '/number' },
    },
    {
      tool: 'github_list_issues',
      args: { owner: 'ada', repo: 'notes', state: 'open', labels: ['bug', 'a b'], per_page: 5 },
      request: 'GET /repos/ada/notes/issues?state=open&labels=bug,a%20b&per_page=5',
    },
    {
      tool: 'github_get_issue',
      args: { owner: 'ada', repo: 'notes', issue_number: '#<issue>' },
      request: 'GET /repos/ada/notes/issues/<issue>',
    },
    {
      tool: 'github_update_issue',
      args: { owner: 'ada', repo: 'notes', issue_number: '#<issue>', state: 'closed', assignees: [] },
      request: 'PATCH /repos/ada/notes/issues/<issue>',
      headers: JSON_BODY,
      body: '{"state":"closed","assignees":[]}',
    },
    {
      tool: 'github_comment_on_issue',
      args: { owner: 'ada', repo: 'notes', issue_number: '#<issue>', body: 'Done.' },
      request: 'POST /repos/ada/notes/issues/<issue>/comments',
      headers: JSON_BODY,
      body: '{"body":"Done."}',
    },
    {
      tool: 'github_search_issues',
      args: { q: 'repo:ada/notes is:issue "a+b"', sort: 'created', page: 1 },
      request: 'GET /search/issues?q=repo%3Aada%2Fnotes%20is%3Aissue%20%22a%2Bb%22&sort=created&page=1',
    },
    {
      tool: 'github_put_file',
      args: {
        ...{ owner: 'ada', repo: 'notes', path: 'docs/a b (1).md', message: 'Add it' },
        content: 'aGVsbG8K',
      },
      request: 'PUT /repos/ada/notes/contents/docs/a%20b%20%281%29.md',
      headers: JSON_BODY,
      body: '{"message":"Add it","content":"aGVsbG8K"}',
      learn: { commit: '/commit/sha' },
    },
    {
      tool: 'github_get_file',
      args: { owner: 'ada', repo: 'notes', path: 'docs/a b (1).md', ref: 'main' },
      request: 'GET /repos/ada/notes/contents/docs/a%20b%20%281%29.md?ref=main',
    },
    {
      tool: 'github_create_branch',
      args: { owner: 'ada', repo: 'notes', branch: 'fix', sha: '<commit>' },
      request: 'POST /repos/ada/notes/git/refs',
      headers: JSON_BODY,
      body: '{"ref":"refs/heads/fix","sha":"<commit>"}',
    },
    {
      tool: 'github_put_file',
      args: {
        ...{ owner: 'ada', repo: 'notes', path: 'b.md', message: 'Propose it', content: 'aGk=' },
        branch: 'fix',
      },
      request: 'PUT /repos/ada/notes/contents/b.md',
      headers: JSON_BODY,
      body: '{"message":"Propose it","content":"aGk=","branch":"fix"}',
    },
    {
      tool: 'github_create_pull_request',
      args: { owner: 'ada', repo: 'notes', title: 'Fix', head: 'fix', base: 'main', draft: false },
      request: 'POST /repos/ada/notes/pulls',
      headers: JSON_BODY,
      body: '{"title":"Fix","head":"fix","base":"main","draft":false}',
      learn: { pull: '/number' },
    },
    {
      tool: 'github_list_pull_requests',
      args: { owner: 'ada', repo: 'notes', state: 'open', head: 'ada:fix', base: 'main' },
      request: 'GET /repos/ada/notes/pulls?state=open&head=ada%3Afix&base=main',
    },
    {
      tool: 'github_merge_pull_request',
      args: { owner: 'ada', repo: 'notes', pull_number: '#<pull>', merge_method: 'squash' },
      request: 'PUT /repos/ada/notes/pulls/<pull>/merge',
      headers: JSON_BODY,
      body: '{"merge_method":"squash"}',
    },
  ],
};
