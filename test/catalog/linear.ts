import type { Operation, Vendor } from './vendor.ts';

/** A GraphQL request: the query is the definition's, to the character. */
function graphql(
  tool: string,
  query: string,
  { args = {}, variables, learn = {} }: Pick<Operation, 'args' | 'learn'> & { variables?: object },
): Operation {
  return {
    ...{ tool, args, learn, request: 'POST /graphql' },
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(variables === undefined ? { query } : { query, variables }),
  };
}

export const linear: Vendor = {
  folder: 'linear',
  origins: ['https://api.linear.app'],
  service: 'linear',
  credentials: { 'linear-key': 'lin_test_admin' },
  // A key of a person stands there without a word before it.
  headers: { authorization: 'lin_test_admin' },
  // GraphQL answers 200 to what it refuses.
  succeeded: (answer) => typeof answer === 'object' && answer !== null && !('errors' in answer),
  operations: [
    graphql(
      'linear_list_teams',
      'query { teams(first: 50) { nodes { id key name states { nodes { id name type } } } } }',
      { learn: { team: '/data/teams/nodes/0/id', state: '/data/teams/nodes/0/states/nodes/0/id' } },
    ),
    graphql(
      'linear_list_users',
      'query ($first: Int!, $after: String) { users(first: $first, after: $after) { nodes { id name email } pageInfo { hasNextPage endCursor } } }',
      { args: { first: 5 }, variables: { first: 5 }, learn: { user: '/data/users/nodes/0/id' } },
    ),
    graphql(
      'linear_create_issue',
      'mutation ($input: IssueCreateInput!) { issueCreate(input: $input) { success issue { id identifier url } } }',
      {
        args: { team_id: '<team>', title: 'Say "hi" {now}', priority: 2, state_id: '<state>', label_ids: [] },
        variables: {
          input: {
            ...{ teamId: '<team>', title: 'Say "hi" {now}', priority: 2, stateId: '<state>', labelIds: [] },
          },
        },
        learn: { issue: '/data/issueCreate/issue/id' },
      },
    ),
    graphql(
      'linear_list_issues',
      'query ($first: Int!, $after: String, $filter: IssueFilter) { issues(first: $first, after: $after, filter: $filter) { nodes { id identifier title priority url state { name } assignee { id name } } pageInfo { hasNextPage endCursor } } }',
      {
        args: { first: 10, filter: { title: { eq: 'Say' } } },
        variables: { first: 10, filter: { title: { eq: 'Say' } } },
      },
    ),
    graphql(
      'linear_get_issue',
      'query ($id: String!) { issue(id: $id) { id identifier title description priority url state { id name } team { id key } assignee { id name } comments { nodes { id body createdAt } } } }',
      { args: { id: '<issue>' }, variables: { id: '<issue>' } },
    ),
    graphql(
      'linear_update_issue',
      'mutation ($id: String!, $input: IssueUpdateInput!) { issueUpdate(id: $id, input: $input) { success issue { id identifier state { name } } } }',
      {
        args: { id: '<issue>', priority: 0, assignee_id: '<user>' },
        variables: { id: '<issue>', input: { priority: 0, assigneeId: '<user>' } },
      },
    ),
    graphql(
      'linear_create_comment',
      'mutation ($input: CommentCreateInput!) { commentCreate(input: $input) { success comment { id createdAt } } }',
      {
        args: { issue_id: '<issue>', body: 'Done.' },
        variables: { input: { issueId: '<issue>', body: 'Done.' } },
      },
    ),
    graphql('linear_archive_issue', 'mutation ($id: String!) { issueArchive(id: $id) { success } }', {
      args: { id: '<issue>' },
      variables: { id: '<issue>' },
    }),
  ],
};
