// The token: comes from the address's fragment or from the sign-in, and is kept in this tab only.

const KEY = "stockmesh.token";

/** Take `#token=…` out of the address, which no server and no history then sees; else what this tab has kept; else "". */
export function found() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const given = fragment.get("token");
  if (given) {
    history.replaceState(null, "", location.pathname);
    keep(given);
    return given;
  }
  return sessionStorage.getItem(KEY) ?? "";
}

export const keep = (token) => sessionStorage.setItem(KEY, token);
export const forget = () => sessionStorage.removeItem(KEY);
