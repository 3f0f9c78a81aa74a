// An OAuth 2.0 server (oidc-provider, certified by the OpenID Foundation) and a collector that takes its tokens.
//
// The first argument is the folder that has node_modules. The first line on standard output is
//   {"issuer", "collector"}
// and from then on each line of standard input is a command, answered by one line of JSON:
//   browse URL      what a person's browser does: logs in, agrees, goes where it is sent, to its end
//   counts          what was asked for, how many refreshes there were at the same time at most, and who used each token (the ids
//                   of records up to their last hyphen), in the order of the tokens' first use
//   kill-access     every access token is revoked
//   kill-grants     every login is revoked
//   lifetime N      access tokens that are made from now on end after N seconds
//   lose            the answer to the next token request is made and not sent
//   outage N        the next N token requests are answered 503
//   verify          whether the server does what the tests rely on
// It ends with its standard input.

import { createServer } from 'node:http';
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

// Its warnings are for those who run it in earnest.
console.info = console.warn = () => {};

const { default: Provider } = await import(
  pathToFileURL(`${process.argv[2]}/node_modules/oidc-provider/lib/index.js`).href
);

const listen = (server) =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));

const authorizationServer = createServer();
const issuer = `http://127.0.0.1:${await listen(authorizationServer)}`;
let lifetime = 3600;
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'machine',
      client_secret: 'machine:+secret %',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: 'client_secret_basic',
      scope: 'audit',
    },
    {
      client_id: 'machine-body',
      client_secret: 'machine:+secret %',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: 'client_secret_post',
      scope: 'audit',
    },
    {
      client_id: 'person',
      client_secret: 'person secret',
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['http://127.0.0.1/callback'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
    },
    {
      client_id: 'public',
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['http://127.0.0.1/callback'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
  ],
  cookies: { keys: ['a test'] },
  features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  scopes: ['openid', 'offline_access', 'audit'],
  ttl: { AccessToken: () => lifetime, ClientCredentials: 3600, RefreshToken: 86400, Grant: 86400, Session: 86400, Interaction: 600 },
});

const counts = { token: 0, in_header: 0, granted: 0, refused: {}, refreshes: 0, at_once: 0, stored: {}, unauthorized: 0 };
const grants = new Set();
const accessTokens = new Set();
const users = new Map();
let under_way = 0;
let lose = false;
let outage = 0;

provider.on('grant.success', (ctx) => {
  counts.granted += 1;
  if (ctx.oidc.params.grant_type === 'refresh_token') counts.refreshes += 1;
  const grant = ctx.oidc.entities.Grant?.jti;
  if (grant) grants.add(grant);
  accessTokens.add(ctx.oidc.entities.AccessToken ?? ctx.oidc.entities.ClientCredentials);
});
provider.on('grant.error', (_, error) => {
  counts.refused[error.error] = (counts.refused[error.error] ?? 0) + 1;
});

// The person logs in and agrees to everything.
async function interact(request, response) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    return provider.interactionFinished(request, response, { login: { accountId: 'me' } });
  }
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

const handle = provider.callback();
authorizationServer.on('request', async (request, response) => {
  if (request.url.startsWith('/interaction/')) {
    return interact(request, response);
  }
  if (request.url !== '/token') return handle(request, response);
  counts.token += 1;
  if (request.headers.authorization) counts.in_header += 1;
  if (outage > 0) {
    outage -= 1;
    response.writeHead(503, { 'content-type': 'application/json' });
    return response.end('{"error":"temporarily_unavailable"}');
  }
  under_way += 1;
  counts.at_once = Math.max(counts.at_once, under_way);
  response.on('close', () => { under_way -= 1; });
  if (lose) {
    lose = false;
    response.end = () => { request.socket.destroy(); return response; };
    response.write = () => true;
  }
  // Long enough that two at once would be seen.
  setTimeout(() => handle(request, response), 50);
});

// The collector: keeps records that come with a token which is good now.
const collector = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', async () => {
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const found = (await provider.AccessToken.find(token)) ?? (await provider.ClientCredentials.find(token));
    if (!found?.scopes.has('audit')) {
      counts.unauthorized += 1;
      response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' });
      return response.end(`you sent ${token}`);
    }
    if (request.method === 'POST') {
      for (const line of Buffer.concat(chunks).toString().split('\n').filter(Boolean)) {
        const id = JSON.parse(line).event.id;
        counts.stored[id] = (counts.stored[id] ?? 0) + 1;
        if (!users.has(token)) users.set(token, new Set());
        users.get(token).add(id.slice(0, id.lastIndexOf('-')));
      }
    }
    response.writeHead(200);
    return response.end();
  });
});

async function browse(start) {
  const jar = new Map();
  let url = start;
  for (let hops = 0; hops < 20; hops += 1) {
    const cookies = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { redirect: 'manual', headers: cookies ? { cookie: cookies } : {} });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      jar.set(name, value);
    }
    const location = response.headers.get('location');
    if (!location) return { status: response.status, url, text: await response.text() };
    url = new URL(location, url).href;
    // For a person who pastes: the browser ends at an address where nobody answers.
    if (url.includes('/callback') && !url.startsWith(issuer) && (await fetch(new URL('/', url)).then(() => false, () => true))) {
      return { status: 0, url, text: '' };
    }
  }
  return { status: -1, url, text: 'too many redirects' };
}

const basic = (id, secret) =>
  `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`;

async function ask(fields, authorization) {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: authorization ? { authorization } : {},
    body: new URLSearchParams(fields),
  });
  const body = await response.json();
  return { ...body, status: response.status };
}

async function code(verifier) {
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const query = new URLSearchParams({
    client_id: 'person', response_type: 'code', redirect_uri: 'http://127.0.0.1/callback', scope: 'openid offline_access audit',
    prompt: 'consent', state: 's', code_challenge: challenge, code_challenge_method: 'S256',
  });
  const { url } = await browse(`${issuer}/auth?${query}`);
  return new URL(url).searchParams.get('code');
}

async function verify() {
  const person = basic('person', 'person secret');
  const verifier = 'v'.repeat(43);
  const exchange = (code, verifier) => ask(
    { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: 'http://127.0.0.1/callback' }, person);
  const refresh = (token, authorization = person) => ask({ grant_type: 'refresh_token', refresh_token: token }, authorization);
  const seen = {};
  seen.wrong_secret = (await ask({ grant_type: 'client_credentials' }, basic('machine', 'wrong'))).error;
  seen.right_secret = (await ask({ grant_type: 'client_credentials' }, basic('machine', 'machine:+secret %'))).status;
  const without = new URLSearchParams({
    client_id: 'person', response_type: 'code', redirect_uri: 'http://127.0.0.1/callback', scope: 'openid', state: 's' });
  seen.without_pkce = new URL((await browse(`${issuer}/auth?${without}`)).url).searchParams.get('error');
  seen.wrong_verifier = (await exchange(await code(verifier), 'w'.repeat(43))).error;
  const once = await code(verifier);
  const first = await exchange(once, verifier);
  seen.exchanged = first.status;
  seen.code_used_twice = (await exchange(once, verifier)).error;
  const login = await exchange(await code(verifier), verifier);
  seen.refresh_without_secret = (await refresh(login.refresh_token, basic('person', 'wrong'))).error;
  const second = await refresh(login.refresh_token);
  seen.rotated = second.refresh_token !== login.refresh_token && second.status;
  seen.old_one_again = (await refresh(login.refresh_token)).error;
  seen.family_after_that = (await refresh(second.refresh_token)).error;
  return seen;
}

const commands = {
  browse,
  verify,
  counts: async () => ({ ...counts, users: [...users.values()].map((of) => [...of].sort()) }),
  lifetime: async (seconds) => { lifetime = Number(seconds); return 'ok'; },
  lose: async () => { lose = true; return 'ok'; },
  outage: async (number) => { outage = Number(number); return 'ok'; },
  'kill-access': async () => {
    for (const token of accessTokens) await token.destroy();
    accessTokens.clear();
    return 'ok';
  },
  'kill-grants': async () => {
    for (const id of grants) {
      // Every token of it, whatever its kind.
      await provider.RefreshToken.revokeByGrantId(id);
      await (await provider.Grant.find(id))?.destroy();
    }
    grants.clear();
    return 'ok';
  },
};

const collectorUrl = `http://127.0.0.1:${await listen(collector)}/audit`;
console.log(JSON.stringify({ issuer, collector: collectorUrl }));
for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...rest] = line.split(' ');
  const answer = await commands[command](rest.join(' ')).catch((error) => ({ failed: String(error) }));
  console.log(JSON.stringify(answer));
}
process.exit(0);
