using Uniscale.Configuration;

namespace Uniscale.Corpus.Cleaning;

/// <summary>Drops documents by their address: a host with all below it, or a host with the beginning of a path.</summary>
internal sealed class UrlRule : IDocumentRule
{
    private readonly HashSet<string> _dropped;
    private readonly HashSet<string> _kept;

    public UrlRule(UrlSection settings)
    {
        _dropped = [.. settings.Drop.Concat(settings.Lists.SelectMany(PhraseLists.Read)).Select(Plain)];
        _kept = [.. settings.Keep.Select(Plain)];
        if (_dropped.Count + _kept.Count == 0)
            throw new UserErrorException(
                $"The rule '{settings.ReportedName}' names no address: set drop, lists or keep, or enabled to false."
            );
    }

    public bool Keeps(CleaningDocument document)
    {
        if (document.Url is not { } url)
            return true;
        string plain = Plain(url);
        return !IsIn(plain, _dropped) && (_kept.Count == 0 || IsIn(plain, _kept));
    }

    /// <summary>Looks for the host, each domain above it, and each beginning of the path behind them.</summary>
    private static bool IsIn(string url, HashSet<string> places)
    {
        int end = url.IndexOf('/', StringComparison.Ordinal);
        string host = end < 0 ? url : url[..end],
            path = end < 0 ? "" : url[end..];
        for (int at = 0; at >= 0; at = host.IndexOf('.', at) is >= 0 and var point ? point + 1 : -1)
        {
            string domain = host[at..];
            for (
                int cut = 0;
                cut >= 0 && cut <= path.Length;
                cut =
                        cut == path.Length ? -1
                        : path.IndexOf('/', cut + 1) is > 0 and var slash ? slash
                        : path.Length
            )
                if (places.Contains(domain + path[..cut]))
                    return true;
        }
        return false;
    }

    /// <summary>Without scheme, port, query and what stands behind.</summary>
    private static string Plain(string url)
    {
        int scheme = url.IndexOf("://", StringComparison.Ordinal);
        string rest = (scheme < 0 ? url : url[(scheme + 3)..]).Split('?', '#')[0].TrimEnd('/');
        int slash = rest.IndexOf('/', StringComparison.Ordinal);
        string host = slash < 0 ? rest : rest[..slash];
        return host.Split(':')[0].ToLowerInvariant() + (slash < 0 ? "" : rest[slash..]);
    }
}

/// <summary>Drops documents by the score that their source gave them.</summary>
internal sealed class ScoreRule : IDocumentRule
{
    private readonly ScoreSection _settings;

    public ScoreRule(ScoreSection settings)
    {
        _settings = settings;
        if (settings.Min is null && settings.Max is null && !settings.DropUnknown)
            throw new UserErrorException($"The rule '{settings.ReportedName}' has no bound: set min or max, or enabled to false.");
    }

    public bool Keeps(CleaningDocument document) =>
        document.Score is { } score ? !(score < _settings.Min || score > _settings.Max) : !_settings.DropUnknown;
}
