using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>Shard prefixes as users write them.</summary>
public static class ShardPaths
{
    /// <summary>
    /// Prefixes without extension, in the order given; a pattern (<c>*</c> and <c>?</c> in the file's name) stands for the shards it matches, by name.
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
            string[] found = Directory.Exists(directory) ? Directory.GetFiles(directory, ShardFormat.IndexPath(Path.GetFileName(prefix))) : [];
            if (found.Length == 0)
                throw new UserErrorException($"No shard matches '{pattern}' of the data source '{owner}'; make shards with `uniscale data tokenize`, or correct the pattern.");
            Array.Sort(found, StringComparer.Ordinal);
            foreach (string path in found)
                yield return ShardFormat.PrefixOf(path);
        }
    }
}
