using Uniscale.Configuration;

namespace Uniscale.Corpus;

/// <summary>
/// Documents by domain: STORE/DOMAIN/NNNNN.jsonl.zst, each line an object with id, source, text and, where known, source_id, url, language,
/// date and score.
/// </summary>
public static class DocumentStore
{
    /// <summary>Name of a domain's file by its number.</summary>
    internal static string FileName(int number) => $"{number:D5}.jsonl.zst";

    /// <summary>Name of a part of what was imported together, by their numbers; what fits one part has no number in it.</summary>
    internal static string PartName(int unit, int part, int parts) => parts == 1 ? FileName(unit) : $"{unit:D5}.{part:D3}.jsonl.zst";

    /// <summary>True for a directory that holds domains with JSONL files.</summary>
    public static bool IsStore(string path) => Directory.Exists(path) && Domains(path).Count > 0;

    /// <summary>The domains of a store with their files, both by name.</summary>
    public static IReadOnlyList<(string Domain, IReadOnlyList<string> Files)> Domains(string store) =>
        [
            .. Directory
                .GetDirectories(store)
                .Order(StringComparer.Ordinal)
                .Select(directory =>
                    (
                        Path.GetFileName(directory),
                        (IReadOnlyList<string>)[.. Directory.GetFiles(directory).Where(TextFiles.IsJsonLines).Order(StringComparer.Ordinal)]
                    )
                )
                .Where(domain => domain.Item2.Count > 0),
        ];

    /// <summary>
    /// Gives the files that a user means by names of stores, directories, patterns and files, by domain: a store gives its domains,
    /// everything else the domain that <paramref name="domain"/> names.
    /// </summary>
    /// <exception cref="UserErrorException">A path does not exist or holds no documents.</exception>
    public static IReadOnlyList<(string Domain, IReadOnlyList<string> Files)> Resolve(IEnumerable<string> paths, string domain)
    {
        var files = new SortedDictionary<string, List<string>>(StringComparer.Ordinal);
        void Add(string name, IEnumerable<string> more)
        {
            if (!files.TryGetValue(name, out var list))
                files[name] = list = [];
            list.AddRange(more);
        }

        foreach (string path in paths)
        {
            if (IsStore(path))
            {
                foreach ((string name, var held) in Domains(path))
                    Add(name, held);
            }
            else if (Directory.Exists(path))
            {
                string[] held = [.. Directory.GetFiles(path).Where(IsDocuments).Order(StringComparer.Ordinal)];
                if (held.Length == 0)
                    throw new UserErrorException(
                        $"{path} holds neither a store nor .txt or .jsonl files; make a store with `uniscale data import`."
                    );
                Add(domain, held);
            }
            else
            {
                Add(
                    domain,
                    File.Exists(path)
                        ? [path]
                        : throw new UserErrorException($"{path} does not exist; give a store, a directory or files of documents.")
                );
            }
        }
        return [.. files.Select(entry => (entry.Key, (IReadOnlyList<string>)entry.Value))];
    }

    private static bool IsDocuments(string path) =>
        TextFiles.IsJsonLines(path) || Path.GetExtension(TextFiles.WithoutCompression(path)) == ".txt";
}
