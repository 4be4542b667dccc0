using System.Text;
using Uniscale.Corpus.Cleaning;

namespace Uniscale.Corpus.Tests.Cleaning;

/// <summary>Stores, pipelines and results in a folder that removes itself, and text to fill them with.</summary>
internal sealed class CleaningFolder : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("uniscale-cleaning-").FullName;

    public string PathOf(string name) => Path.Combine(_root, name);

    /// <summary>Adds a file of documents to the store "store".</summary>
    public void Add(string domain, IEnumerable<string> texts, string store = "store")
    {
        string folder = Directory.CreateDirectory(Path.Combine(PathOf(store), domain)).FullName;
        using var writer = new DocumentFileWriter(Path.Combine(folder, DocumentStore.FileName(Directory.GetFiles(folder).Length)));
        int number = 0;
        string file = Guid.NewGuid().ToString("N")[..4];
        foreach (string text in texts)
            writer.Add(new StoredDocument($"{domain}-{file}-{number}", $"{number++}", text));
        writer.Complete();
    }

    /// <summary>Reads a pipeline over the store, with the steps given as YAML.</summary>
    public CleaningPipeline Pipeline(string steps, string output = "clean", string inputs = "store")
    {
        string path = PathOf($"{output}.yaml");
        File.WriteAllText(
            path,
            $"inputs: [{string.Join(", ", inputs.Split(' ').Select(PathOf))}]\noutput: {PathOf(output)}\nsteps:\n{steps}\n"
        );
        return CleaningPipeline.Load(path);
    }

    public CleaningReport Clean(string steps, string output = "clean", int workers = 1, string inputs = "store") =>
        new Cleaner(Pipeline(steps, output, inputs), workers).Run();

    /// <summary>The texts that were kept, in order.</summary>
    public List<string> Texts(string store = "clean") => [.. Documents(store).Select(document => document.Text)];

    public List<StoredDocument> Documents(string store = "clean") =>
        [.. DocumentStore.Domains(PathOf(store)).SelectMany(domain => domain.Files).SelectMany(file => StoredDocumentReader.Read(file))];

    /// <summary>Every file of a cleaned store by its relative name, reports without what time it took.</summary>
    public SortedDictionary<string, string> Bytes(string store = "clean")
    {
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (string path in Directory.GetFiles(PathOf(store), "*.zst", SearchOption.AllDirectories))
            if (!path.Contains(".cleaning", StringComparison.Ordinal))
                files[Path.GetRelativePath(PathOf(store), path)] = Convert.ToHexString(File.ReadAllBytes(path));
        return files;
    }

    /// <summary>English-looking sentences of invented words; the same for the same seed.</summary>
    public static string Prose(int seed, int words)
    {
        var random = new Random(seed);
        string[] common = ["the", "of", "and", "to", "in", "is", "that", "for", "with", "was"];
        var text = new StringBuilder();
        for (int i = 0; i < words; i++)
        {
            text.Append(i % 3 == 0 ? common[random.Next(common.Length)] : Invented(random));
            text.Append(i % 12 == 11 ? ".\n" : " ");
        }
        return text.ToString().TrimEnd();
    }

    /// <summary>Replaces this share of the words by others.</summary>
    public static string Edited(string text, double share, int seed)
    {
        var random = new Random(seed);
        string[] words = text.Split(' ');
        foreach (int place in Enumerable.Range(0, words.Length).OrderBy(_ => random.Next()).Take((int)Math.Round(share * words.Length)))
            words[place] = Invented(random);
        return string.Join(' ', words);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private static string Invented(Random random)
    {
        string word = "";
        for (int i = random.Next(2, 5); i > 0; i--)
            word += $"{"bcdfghklmnprstvw"[random.Next(16)]}{"aeiou"[random.Next(5)]}";
        return word;
    }
}
