using System.Collections.Concurrent;
using System.IO.Compression;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Uniscale.Dashboard;

/// <summary>Scripts and styles, out of this assembly: the same wherever the program lies and is started from.</summary>
internal static class EmbeddedAssets
{
    private static readonly ConcurrentDictionary<string, Asset> Loaded = new(StringComparer.Ordinal);

    private static readonly Dictionary<string, string> Types = new(StringComparer.Ordinal)
    {
        ["plotly.js"] = "text/javascript; charset=utf-8",
        ["dashboard.js"] = "text/javascript; charset=utf-8",
        ["dashboard.css"] = "text/css; charset=utf-8",
        ["icon.svg"] = "image/svg+xml",
    };

    private sealed record Asset(byte[] Plain, byte[] Packed, string Tag);

    /// <summary>The address of an asset, which changes with its bytes.</summary>
    public static string AddressOf(string name) => $"/assets/{name}?v={Load(name).Tag}";

    /// <summary>Answers for all of them.</summary>
    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGet(
            "/assets/{name}",
            (string name, HttpContext context) =>
            {
                if (!Types.TryGetValue(name, out string? type))
                    return Results.NotFound();
                var asset = Load(name);
                context.Response.Headers.CacheControl = "private, max-age=31536000, immutable";
                bool isPacked = context.Request.Headers.AcceptEncoding.ToString().Contains("gzip", StringComparison.Ordinal);
                if (isPacked)
                    context.Response.Headers.ContentEncoding = "gzip";
                context.Response.Headers.Vary = "Accept-Encoding";
                return Results.Bytes(isPacked ? asset.Packed : asset.Plain, type);
            }
        );

    private static Asset Load(string name) =>
        Loaded.GetOrAdd(
            name,
            static name =>
            {
                using var stream =
                    typeof(EmbeddedAssets).Assembly.GetManifestResourceStream(name)
                    ?? throw new InvalidOperationException($"The asset {name} is not in the assembly.");
                using MemoryStream plain = new(),
                    packed = new();
                stream.CopyTo(plain);
                using (var gzip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true))
                    gzip.Write(plain.GetBuffer(), 0, (int)plain.Length);
                byte[] bytes = plain.ToArray();
                return new Asset(bytes, packed.ToArray(), Convert.ToHexStringLower(SHA256.HashData(bytes).AsSpan(0, 6)));
            }
        );
}
