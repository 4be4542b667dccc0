using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>Shard prefixes as users write them.</summary>
public static class ShardPaths
{
    /// <summary>Ending of the report that <c>uniscale data chat</c> leaves beside shards.</summary>
    public const string ChatReportEnding = ".chat.json";

    private static readonly string[] SideEndings = [ShardWriter.Unfinished, ShardMarks.Extension, ChatReportEnding];

    /// <summary>
    /// Prefixes of the shards that a user wants to look at: prefixes, patterns, either file of a pair, folders of shards; each once. What
    /// tokenizing leaves beside
    /// shards is passed over, so that FOLDER/* may be written too.
    /// </summary>
    /// <exception cref="UserErrorException">There is no shard.</exception>
    public static IReadOnlyList<string> Find(IReadOnlyCollection<string> paths)
    {
        string[] wanted = [.. paths.Where(path => !IsSideFile(path))];
        string[] prefixes = [.. Expand(wanted.SelectMany(InFolder), "command line").Distinct(StringComparer.Ordinal)];
        return prefixes.Length > 0
            ? prefixes
            : throw new UserErrorException(
                $"There is no shard in {string.Join(", ", paths)}; a shard is the pair PREFIX.bin and PREFIX.idx made by `uniscale data tokenize`."
            );
    }

    private static bool IsSideFile(string path) =>
        TokenizationRecord.IsRecord(path) || SideEndings.Any(ending => path.EndsWith(ending, StringComparison.Ordinal));

    private static IEnumerable<string> InFolder(string path)
    {
        if (!Directory.Exists(path))
            return [path];
        string[] halves = [.. Directory.GetFiles(path, ShardFormat.BinPath("*")), .. Directory.GetFiles(path, ShardFormat.IndexPath("*"))];
        return halves.Order(StringComparer.Ordinal);
    }

    /// <summary>
    /// Prefixes without extension, in the order given; a pattern (<c>*</c> and <c>?</c> in the file's name) stands for the shards it
    /// matches, by name.
    /// </summary>
    /// <exception cref="UserErrorException">A pattern matches nothing.</exception>
    public static IEnumerable<string> Expand(IEnumerable<string> patterns, string owner)
    {
        foreach (string pattern in patterns)
        {
            string prefix = ShardFormat.PrefixOf(pattern);
            if (!prefix.AsSpan().ContainsAny('*', '?'))
            {
                yield return prefix;
                continue;
            }
            string directory = Path.GetDirectoryName(prefix) is { Length: > 0 } parent ? parent : ".";
            string[] found = Directory.Exists(directory)
                ? Directory.GetFiles(directory, ShardFormat.IndexPath(Path.GetFileName(prefix)))
                : [];
            if (found.Length == 0)
                throw new UserErrorException(
                    $"No shard matches '{pattern}' of the data source '{owner}'; make shards with `uniscale data tokenize`, or correct the pattern."
                );
            Array.Sort(found, StringComparer.Ordinal);
            foreach (string path in found)
                yield return ShardFormat.PrefixOf(path);
        }
    }
}
