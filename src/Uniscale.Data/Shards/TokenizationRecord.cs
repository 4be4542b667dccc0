using System.IO.Hashing;
using System.Text.Json;
using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>
/// PREFIX.tokenized.json beside the shards of a domain: what they were made of, what came of it and the digests of their bytes, so that a
/// tokenization that was
/// stopped does not do finished shards again, and a shard that was damaged since is known. A shard that was changed, other documents,
/// another tokenizer or another
/// share of validation make it void as a proof of work done.
/// </summary>
public sealed class TokenizationRecord
{
    private const string Ending = ".tokenized.json";
    private static readonly string[] Kinds = [".train", ".validation"];

    private readonly string _path;
    private readonly string _prefix;
    private readonly string _inputs;
    private readonly string _tokenizer;

    /// <param name="prefix">Path of the domain's shards without .train or .validation.</param>
    /// <param name="tokenizer">The model.</param>
    /// <param name="validation">Share of documents set aside.</param>
    /// <param name="files">The documents.</param>
    public TokenizationRecord(string prefix, Tokenizer tokenizer, double validation, IEnumerable<string> files)
    {
        _prefix = prefix;
        _path = prefix + Ending;
        _tokenizer = tokenizer.Fingerprint;
        _inputs = Digest(files, $"{tokenizer.Fingerprint} {validation:R}");
    }

    private sealed record Content(
        string Inputs,
        string Shards,
        TokenizationReport Report,
        Dictionary<string, ShardDigests>? Digests = null,
        string? Tokenizer = null
    );

    /// <summary>True for the name of a record.</summary>
    public static bool IsRecord(string path) => path.EndsWith(Ending, StringComparison.Ordinal);

    /// <summary>Where the digests of a shard lie, if anywhere.</summary>
    internal static string? PathOf(string shard) =>
        Kinds.FirstOrDefault(kind => shard.EndsWith(kind, StringComparison.Ordinal)) is { } kind ? shard[..^kind.Length] + Ending : null;

    /// <summary>The digests of a shard when it was made; null where none are recorded.</summary>
    internal static ShardDigests? DigestsOf(string shard) =>
        PathOf(shard) is { } path ? Read(path)?.Digests?.GetValueOrDefault(Path.GetExtension(shard)) : null;

    /// <summary>
    /// Refuses a shard that another tokenizer made: its numbers stand for other text, and nothing else tells, least of all the loss. A
    /// shard without a record, or with one of before tokenizers were recorded, is taken on trust.
    /// </summary>
    /// <param name="shard">Path of the shard without extension.</param>
    /// <param name="tokenizer">What its tokens are taken for.</param>
    /// <exception cref="UserErrorException">Another tokenizer made it.</exception>
    public static void CheckTokenizer(string shard, Tokenizer tokenizer)
    {
        if (PathOf(shard) is { } path && Read(path)?.Tokenizer is { } made && made != tokenizer.Fingerprint)
            throw new UserErrorException(
                $"{ShardFormat.BinPath(shard)} was made by another tokenizer than {tokenizer.Path}, so its tokens would be other text: "
                    + $"name the tokenizer that made it, or tokenize the data again; if both are known to give the same tokens, remove {path}, "
                    + "with which the digests go that find damage in shards."
            );
    }

    /// <summary>The report of the run that made these shards; null where they must be made.</summary>
    public TokenizationReport? Find() =>
        Read(_path) is { } content && content.Inputs == _inputs && content.Shards == Shards() ? content.Report : null;

    /// <summary>Forgets shards that are about to be made anew.</summary>
    public static void Remove(string prefix) => File.Delete(prefix + Ending);

    /// <summary>Remembers shards that are complete.</summary>
    public void Write(TokenizationReport report, IReadOnlyDictionary<string, ShardDigests> digests)
    {
        File.WriteAllText(
            _path + ".unfinished",
            JsonSerializer.Serialize(new Content(_inputs, Shards(), report, new Dictionary<string, ShardDigests>(digests), _tokenizer))
        );
        File.Move(_path + ".unfinished", _path, overwrite: true);
    }

    private static Content? Read(string path)
    {
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize<Content>(File.ReadAllText(path)) : null;
        }
        catch (JsonException)
        {
            return null; // a record that cannot be read proves nothing
        }
    }

    private string Shards() =>
        Digest(Kinds.SelectMany(kind => new[] { ShardFormat.BinPath(_prefix + kind), ShardFormat.IndexPath(_prefix + kind) }), "");

    /// <summary>Of names, sizes and times.</summary>
    private static string Digest(IEnumerable<string> paths, string more)
    {
        var digest = new XxHash128();
        digest.Append(JsonSerializer.SerializeToUtf8Bytes(more));
        foreach (var file in paths.Select(path => new FileInfo(path)))
            digest.Append(
                JsonSerializer.SerializeToUtf8Bytes(
                    new
                    {
                        file.FullName,
                        Length = file.Exists ? file.Length : -1,
                        Ticks = file.Exists ? file.LastWriteTimeUtc.Ticks : 0,
                    }
                )
            );
        return Convert.ToHexStringLower(digest.GetCurrentHash());
    }
}
