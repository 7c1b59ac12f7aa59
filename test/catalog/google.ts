import type { Vendor } from './vendor.ts';

const JSON_BODY = { 'content-type': 'application/json' };
const MAIL = { 'content-type': 'message/rfc822' };
const COMMON = {
  service: 'google',
  credentials: { 'google-access-token': 'ya29.1' },
  headers: { authorization: 'Bearer ya29.1' },
} as const;

export const gmail: Vendor = {
  ...COMMON,
  folder: 'gmail',
  origins: ['https://gmail.googleapis.com'],
  seed: {
    users: [{ email: 'ada@example.com', name: 'Ada' }],
    messages: [
      {
        ...{ id: 'msg_1', thread_id: 'thread_1', user_email: 'ada@example.com', from: 'bob@example.com' },
        ...{ to: 'ada@example.com', subject: 'Hi', body_text: 'Hello.', label_ids: ['INBOX', 'UNREAD'] },
      },
    ],
  },
  operations: [
    {
      tool: 'gmail_list_messages',
      args: { q: 'from:bob@example.com is:unread', labelIds: ['INBOX', 'UNREAD'], maxResults: 5 },
      request:
        'GET /gmail/v1/users/me/messages?q=from%3Abob%40example.com%20is%3Aunread&labelIds=INBOX&labelIds=UNREAD&maxResults=5',
      learn: { message: '/messages/0/id', thread: '/messages/0/threadId' },
    },
    {
      tool: 'gmail_get_message',
      args: { id: '<message>', format: 'full' },
      request: 'GET /gmail/v1/users/me/messages/<message>?format=full',
    },
    {
      tool: 'gmail_get_thread',
      args: { id: '<thread>' },
      request: 'GET /gmail/v1/users/me/threads/<thread>',
    },
    {
      tool: 'gmail_send_message',
      args: {
        to: ['bob@example.com', 'eve@example.com'],
        cc: ['dan@example.com'],
        subject: 'Grüße',
        text: 'Hi.\n',
      },
      request: 'POST /upload/gmail/v1/users/me/messages/send?uploadType=media',
      headers: MAIL,
      body: [
        'To: bob@example.com,',
        ' eve@example.com',
        'Cc: dan@example.com',
        'Subject: =?UTF-8?B?R3LDvMOfZQ==?=',
        'MIME-Version: 1.0',
        'Content-Type: text/plain; charset=utf-8',
        'Content-Transfer-Encoding: base64',
        '',
        'SGkuCg==',
        '',
      ].join('\r\n'),
    },
    {
      tool: 'gmail_create_draft',
      args: { to: ['bob@example.com'], subject: 'Later', text: 'x' },
      request: 'POST /upload/gmail/v1/users/me/drafts?uploadType=media',
      headers: MAIL,
      body: [
        'To: bob@example.com',
        'Subject: Later',
        'MIME-Version: 1.0',
        'Content-Type: text/plain; charset=utf-8',
        'Content-Transfer-Encoding: base64',
        '',
        'eA==',
        '',
      ].join('\r\n'),
    },
    {
      tool: 'gmail_label_message',
      args: { id: '<message>', addLabelIds: ['STARRED'], removeLabelIds: ['UNREAD'] },
      request: 'POST /gmail/v1/users/me/messages/<message>/modify',
      headers: JSON_BODY,
      body: '{"addLabelIds":["STARRED"],"removeLabelIds":["UNREAD"]}',
    },
    { tool: 'gmail_list_labels', request: 'GET /gmail/v1/users/me/labels' },
    {
      tool: 'gmail_trash_message',
      args: { id: '<message>' },
      request: 'POST /gmail/v1/users/me/messages/<message>/trash',
    },
  ],
};

export const googleCalendar: Vendor = {
  ...COMMON,
  folder: 'google-calendar',
  origins: ['https://www.googleapis.com'],
  seed: { users: [{ email: 'ada@example.com', name: 'Ada' }] },
  operations: [
    {
      tool: 'calendar_list_calendars',
      args: { maxResults: 10 },
      request: 'GET /calendar/v3/users/me/calendarList?maxResults=10',
    },
    {
      tool: 'calendar_create_event',
      args: {
        ...{ calendar_id: 'primary', summary: 'Talk', start: '2026-12-01T09:00:00+01:00' },
        ...{ end: '2026-12-01T09:30:00+01:00', time_zone: 'Europe/Vienna', send_updates: 'all' },
        attendees: ['bob@example.com', 'eve@example.com'],
      },
      request: 'POST /calendar/v3/calendars/primary/events?sendUpdates=all',
      headers: JSON_BODY,
      body: '{"summary":"Talk","start":{"dateTime":"2026-12-01T09:00:00+01:00","timeZone":"Europe/Vienna"},"end":{"dateTime":"2026-12-01T09:30:00+01:00","timeZone":"Europe/Vienna"},"attendees":[{"email":"bob@example.com"},{"email":"eve@example.com"}]}',
      learn: { event: '/id' },
    },
    {
      tool: 'calendar_list_events',
      args: { calendar_id: 'primary', time_min: '2026-12-01T00:00:00Z', max_results: 5 },
      request:
        'GET /calendar/v3/calendars/primary/events?singleEvents=true&orderBy=startTime&timeMin=2026-12-01T00%3A00%3A00Z&maxResults=5',
    },
    {
      tool: 'calendar_free_busy',
      args: {
        ...{ time_min: '2026-12-01T00:00:00Z', time_max: '2026-12-02T00:00:00Z' },
        calendars: ['primary', 'bob@example.com'],
      },
      request: 'POST /calendar/v3/freeBusy',
      headers: JSON_BODY,
      body: '{"timeMin":"2026-12-01T00:00:00Z","timeMax":"2026-12-02T00:00:00Z","items":[{"id":"primary"},{"id":"bob@example.com"}]}',
    },
    {
      tool: 'calendar_get_event',
      args: { calendar_id: 'team@group.calendar.google.com', event_id: '<event>' },
      request: 'GET /calendar/v3/calendars/team%40group.calendar.google.com/events/<event>',
      lacked: true,
    },
    {
      tool: 'calendar_update_event',
      args: { calendar_id: 'primary', event_id: '<event>', summary: 'Longer talk' },
      request: 'PATCH /calendar/v3/calendars/primary/events/<event>',
      headers: JSON_BODY,
      body: '{"summary":"Longer talk"}',
      lacked: true,
    },
    {
      tool: 'calendar_delete_event',
      args: { calendar_id: 'primary', event_id: '<event>', send_updates: 'none' },
      request: 'DELETE /calendar/v3/calendars/primary/events/<event>?sendUpdates=none',
    },
  ],
};

const BOUNDARY = 'interlock-BOUNDARY';

export const googleDrive: Vendor = {
  ...COMMON,
  folder: 'google-drive',
  origins: ['https://www.googleapis.com'],
  seed: { users: [{ email: 'ada@example.com', name: 'Ada' }] },
  operations: [
    {
      tool: 'drive_create_folder',
      args: { name: 'Reports' },
      request: 'POST /drive/v3/files?supportsAllDrives=true',
      headers: JSON_BODY,
      body: '{"name":"Reports","mimeType":"application/vnd.google-apps.folder"}',
      learn: { folder: '/id' },
    },
    {
      tool: 'drive_upload_file',
      args: { name: 'a.csv', content: 'YSxiCg==', mime_type: 'text/csv', parents: ['<folder>'] },
      request: 'POST /upload/drive/v3/files?uploadType=multipart&supportsAllDrives=true',
      headers: { 'content-type': `multipart/related; boundary=${BOUNDARY}` },
      body: [
        `--${BOUNDARY}`,
        'Content-Type: application/json; charset=UTF-8',
        '',
        '{"name":"a.csv","parents":["<folder>"]}',
        `--${BOUNDARY}`,
        'Content-Type: text/csv',
        '',
        'a,b\n',
        `--${BOUNDARY}--`,
        '',
      ].join('\r\n'),
      learn: { file: '/id' },
    },
    {
      tool: 'drive_list_files',
      args: { q: "name contains 'a' and trashed = false", page_size: 10 },
      request:
        'GET /drive/v3/files?fields=nextPageToken%2Cfiles%28id%2Cname%2CmimeType%2CmodifiedTime%2Csize%2Cparents%2CwebViewLink%29&supportsAllDrives=true&includeItemsFromAllDrives=true&q=name%20contains%20%27a%27%20and%20trashed%20%3D%20false&pageSize=10',
    },
    {
      tool: 'drive_get_file',
      args: { file_id: '<file>' },
      request:
        'GET /drive/v3/files/<file>?fields=id%2Cname%2CmimeType%2CmodifiedTime%2Csize%2Cparents%2CwebViewLink%2Cowners%28emailAddress%29%2Cshared&supportsAllDrives=true',
    },
    {
      tool: 'drive_download_file',
      args: { file_id: '<file>' },
      request: 'GET /drive/v3/files/<file>?alt=media&supportsAllDrives=true',
    },
    {
      tool: 'drive_export_file',
      args: { file_id: '<file>', mime_type: 'text/plain' },
      request: 'GET /drive/v3/files/<file>/export?mimeType=text%2Fplain',
      lacked: true,
    },
    {
      tool: 'drive_rename_file',
      args: { file_id: '<file>', name: 'b.csv' },
      request: 'PATCH /drive/v3/files/<file>?supportsAllDrives=true',
      headers: JSON_BODY,
      body: '{"name":"b.csv"}',
    },
    {
      tool: 'drive_share_file',
      args: { file_id: '<file>', email: 'bob@example.com', role: 'reader', message: 'For you' },
      request:
        'POST /drive/v3/files/<file>/permissions?supportsAllDrives=true&sendNotificationEmail=true&emailMessage=For%20you',
      headers: JSON_BODY,
      body: '{"type":"user","role":"reader","emailAddress":"bob@example.com"}',
      lacked: true,
    },
    {
      tool: 'drive_trash_file',
      args: { file_id: '<file>' },
      request: 'PATCH /drive/v3/files/<file>?supportsAllDrives=true',
      headers: JSON_BODY,
      body: '{"trashed":true}',
    },
  ],
};
