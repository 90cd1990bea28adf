// An authorization server for the tests: oidc-provider on loopback. Arguments: port, algorithm of its JWTs.
import { Provider } from 'oidc-provider';
const port = Number(process.argv[2]);
const issuer = `http://localhost:${port}`;
const client = (id, secret) => ({
  client_id: id, client_secret: secret, grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
});
const provider = new Provider(issuer, {
  clients: [client('app', 'secret of the app +&%'), client('api', 'secret of the API: %41&=~*')],
  scopes: ['notes:read', 'notes:write'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: async () => true },
    revocation: { enabled: true },
    dPoP: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: async (ctx, resource) => ({
        scope: 'notes:read notes:write',
        audience: resource,
        accessTokenFormat: resource.endsWith('/jwt') ? 'jwt' : 'opaque',
        jwt: { sign: { alg: process.argv[3] ?? 'RS256' } },
      }),
    },
  },
});
provider.listen(port, '127.0.0.1', () => console.log('ready'));
