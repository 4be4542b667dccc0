using System.IO.Compression;
using System.Text;
using Uniscale.Corpus.Reading;

namespace Uniscale.Corpus.Tests.Importing;

/// <summary>Raw files and stores in a folder that removes itself.</summary>
internal sealed class ImportFolder : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("uniscale-import-").FullName;

    public string PathOf(string name) => Path.Combine(_root, name);

    public string Write(string name, byte[] bytes)
    {
        string path = PathOf(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    public string Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    public ImportReport Import(string path, string domain = "web", ImportOptions? options = null) => Import([path], domain, options);

    public ImportReport Import(string[] paths, string domain = "web", ImportOptions? options = null, string store = "store") =>
        new Importer(PathOf(store), domain, options).RunAsync(paths, TestContext.Current.CancellationToken).GetAwaiter().GetResult();

    /// <summary>Imports one file into a domain of its own.</summary>
    public (ImportReport Report, List<StoredDocument> Documents) Read(string path, ReadingOptions? reading = null)
    {
        string domain = Guid.NewGuid().ToString("N");
        var report = Import(path, domain, new ImportOptions { Reading = reading ?? new ReadingOptions(), Workers = 2 });
        return (report, Documents(domain));
    }

    public List<string> Texts(string domain = "web") => [.. Documents(domain).Select(document => document.Text)];

    public List<StoredDocument> Documents(string domain = "web", string store = "store") =>
        Directory.Exists(PathOf(store))
            ?
            [
                .. DocumentStore
                    .Domains(PathOf(store))
                    .Where(held => held.Domain == domain)
                    .SelectMany(held => held.Files)
                    .SelectMany(file => StoredDocumentReader.Read(file)),
            ]
            : [];

    /// <summary>Names and bytes of a domain's files.</summary>
    public SortedDictionary<string, string> Files(string store, string domain = "web") =>
        new(
            Directory
                .GetFiles(PathOf($"{store}/{domain}"), "*.zst")
                .ToDictionary(
                    path => Path.GetFileName(path),
                    path => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(path)))
                ),
            StringComparer.Ordinal
        );

    /// <summary>A file that is cut or damaged is left out and named with the reason, and another goes on.</summary>
    public void AssertDamaged(string name, byte[] bytes, string why)
    {
        string path = Write(name, bytes),
            good = Write("good.txt", "good"),
            domain = Guid.NewGuid().ToString("N");
        var report = Import([path, good], domain);
        string sentence = Assert.Single(report.Damaged);
        Assert.Contains(name, sentence, StringComparison.Ordinal);
        Assert.Contains(why, sentence, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(["good"], Texts(domain));
        Assert.Equal(1, report.LeftOut["damaged"]);
    }

    public static byte[] Gzip(ReadOnlySpan<byte> text, bool ends = true)
    {
        using var bytes = new MemoryStream();
        using var stream = new GZipStream(bytes, CompressionLevel.Fastest, leaveOpen: true);
        stream.Write(text);
        stream.Flush();
        if (ends)
            stream.Dispose();
        return bytes.ToArray();
    }

    public static byte[] Zstd(ReadOnlySpan<byte> text, bool ends = true)
    {
        using var bytes = new MemoryStream();
        using var stream = new ZstdSharp.CompressionStream(bytes, leaveOpen: true);
        stream.Write(text);
        stream.Flush();
        if (ends)
            stream.Dispose();
        return bytes.ToArray();
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);
}
