using System.IO.Hashing;
using System.Text.Json;

namespace Uniscale.Data;

/// <summary>
/// PREFIX.tokenized.json beside the shards of a domain: what they were made of and what came of it, so that a tokenization that was stopped does not do
/// finished shards again. A shard that was changed since, other documents, another tokenizer or another share of validation make it void.
/// </summary>
public sealed class TokenizationRecord
{
    private readonly string _path;
    private readonly string _prefix;
    private readonly string _inputs;

    /// <param name="prefix">Path of the domain's shards without .train or .validation.</param>
    /// <param name="tokenizer">The model.</param>
    /// <param name="validation">Share of documents set aside.</param>
    /// <param name="files">The documents.</param>
    public TokenizationRecord(string prefix, Tokenizer tokenizer, double validation, IEnumerable<string> files)
    {
        _prefix = prefix;
        _path = prefix + ".tokenized.json";
        _inputs = Digest(files, $"{tokenizer.Fingerprint} {validation:R}");
    }

    private sealed record Content(string Inputs, string Shards, TokenizationReport Report);

    /// <summary>The report of the run that made these shards; null where they must be made.</summary>
    public TokenizationReport? Find()
    {
        if (!File.Exists(_path))
            return null;
        try
        {
            Content? content = JsonSerializer.Deserialize<Content>(File.ReadAllText(_path));
            return content is not null && content.Inputs == _inputs && content.Shards == Shards() ? content.Report : null;
        }
        catch (JsonException)
        {
            return null; // a record that cannot be read proves nothing
        }
    }

    /// <summary>Remembers shards that are complete.</summary>
    public void Write(TokenizationReport report)
    {
        File.WriteAllText(_path + ".unfinished", JsonSerializer.Serialize(new Content(_inputs, Shards(), report)));
        File.Move(_path + ".unfinished", _path, overwrite: true);
    }

    private string Shards() =>
        Digest(new[] { ".train", ".validation" }.SelectMany(kind => new[] { ShardFormat.BinPath(_prefix + kind), ShardFormat.IndexPath(_prefix + kind) }), "");

    /// <summary>Of names, sizes and times.</summary>
    private static string Digest(IEnumerable<string> paths, string more)
    {
        var digest = new XxHash128();
        digest.Append(JsonSerializer.SerializeToUtf8Bytes(more));
        foreach (FileInfo file in paths.Select(path => new FileInfo(path)))
            digest.Append(JsonSerializer.SerializeToUtf8Bytes(new { file.FullName, Length = file.Exists ? file.Length : -1, Ticks = file.Exists ? file.LastWriteTimeUtc.Ticks : 0 }));
        return Convert.ToHexStringLower(digest.GetCurrentHash());
    }
}
