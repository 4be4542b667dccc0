using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Uniscale.Dashboard.Safety;

/// <summary>
/// Stands before every answer. Without a token only this machine's own names are answered to, so that a page of a stranger cannot reach the
/// dashboard by a name
/// that it lets point here; with one, only those who show it. Every answer forbids the browser all but the dashboard's own scripts.
/// </summary>
/// <param name="options">What is served, and to whom.</param>
internal sealed class AccessGate(DashboardOptions options)
{
    private const string Cookie = "uniscale-dashboard",
        Parameter = "token";

    private readonly byte[]? _token = options.Token is { } token ? Digest(token) : null;

    /// <summary>Lets a request pass, or answers it.</summary>
    public async Task Pass(HttpContext context, RequestDelegate next)
    {
        AddHeaders(context.Response.Headers);
        var request = context.Request;
        if (_token is null && !IsOwnName(request.Host.Host))
        {
            await Refuse(
                context,
                StatusCodes.Status421MisdirectedRequest,
                "The dashboard answers to localhost alone; start it with --token to reach it by another name."
            );
            return;
        }
        if (_token is not null && !await Shows(context))
            return;
        if (!HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method) && !IsOwnOrigin(request))
        {
            await Refuse(context, StatusCodes.Status403Forbidden, "The request comes from another site.");
            return;
        }
        await next(context);
    }

    private static void AddHeaders(IHeaderDictionary headers)
    {
        headers.ContentSecurityPolicy =
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers.CacheControl = "no-store";
    }

    /// <summary>
    /// Whether the token is shown: in the address once (then it is kept as a cookie and taken out of the address), by cookie, or as a
    /// bearer.
    /// </summary>
    private async Task<bool> Shows(HttpContext context)
    {
        var request = context.Request;
        if (request.Query[Parameter] is [{ } given])
        {
            if (!IsToken(given))
            {
                await Refuse(context, StatusCodes.Status401Unauthorized, "This is not the dashboard's token.");
                return false;
            }
            context.Response.Cookies.Append(
                Cookie,
                given,
                new CookieOptions
                {
                    HttpOnly = true,
                    SameSite = SameSiteMode.Strict,
                    Secure = request.IsHttps,
                    Path = "/",
                }
            );
            var rest = QueryString.Create(
                request
                    .Query.Where(pair => pair.Key != Parameter)
                    .SelectMany(pair => pair.Value.Select(value => KeyValuePair.Create(pair.Key, value)))
            );
            context.Response.Redirect(request.Path.HasValue ? request.Path.ToUriComponent() + rest : "/");
            return false;
        }
        string authorization = request.Headers.Authorization.ToString();
        if (authorization.StartsWith("Bearer ", StringComparison.Ordinal) && IsToken(authorization[7..]))
            return true;
        if (request.Cookies[Cookie] is { } kept && IsToken(kept))
            return true;
        await Refuse(context, StatusCodes.Status401Unauthorized, "The dashboard wants its token: open it with ?token=TOKEN once.");
        return false;
    }

    private bool IsToken(string given) => CryptographicOperations.FixedTimeEquals(Digest(given), _token);

    private static byte[] Digest(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));

    private static bool IsOwnName(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));

    /// <summary>A browser names the page that a form was sent from; what is no browser need not.</summary>
    private static bool IsOwnOrigin(HttpRequest request)
    {
        string origin = request.Headers.Origin.ToString();
        return origin.Length == 0 || origin.Equals($"{request.Scheme}://{request.Host}", StringComparison.OrdinalIgnoreCase);
    }

    private static Task Refuse(HttpContext context, int status, string sentence)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(sentence + "\n");
    }
}
