// An OpenID provider as oidc-provider makes it: it takes no Basic credentials that are not form-encoded, rotates
// refresh tokens and says nothing of how long they last. The password grant is added, for the provider has none.
const { default: Provider } = await import(process.argv[2]);
const port = Number(process.argv[3]);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: "conformance client", client_secret: "secret+with:odd%characters & spaces",
    grant_types: ["client_credentials", "password", "refresh_token"], response_types: [], redirect_uris: [],
  }],
  features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
  rotateRefreshToken: true,
  issueRefreshToken: async () => true,
  ttl: { AccessToken: 11, ClientCredentials: 60, RefreshToken: 3600, Grant: 3600 },
  findAccount: async (context, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
});
const form = ["username", "password", "scope"];
provider.registerGrantType("password", async (context, next) => {
  const { client, params } = context.oidc;
  if (params.username !== "conformance" || params.password !== "conformance") {
    context.status = 401;
    context.body = { error: "invalid_grant" };
    return;
  }
  const grant = new provider.Grant({ accountId: "conformance", clientId: client.clientId });
  grant.addOIDCScope("openid offline_access");
  const grantId = await grant.save();
  const token = { accountId: "conformance", client, grantId, gty: "password", scope: "openid offline_access" };
  const access = await new provider.AccessToken(token).save();
  const refresh = await new provider.RefreshToken({ ...token, rotations: 0, iiat: Math.floor(Date.now() / 1000) }).save();
  context.body = { access_token: access, expires_in: 11, token_type: "Bearer", refresh_token: refresh };
  await next();
}, form);
provider.listen(port, "127.0.0.1");
