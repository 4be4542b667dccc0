using System.Text;
using Uniscale.Configuration;

namespace Uniscale.Data.Tests;

public sealed class ImporterTests : IDisposable
{
    private readonly Corpus _corpus = new();

    public void Dispose() => _corpus.Dispose();

    [Fact]
    public void Raw_files_become_documents_of_a_store_and_every_file_is_accounted_for()
    {
        string raw = Directory.CreateDirectory(_corpus.PathOf("raw/sub")).Parent!.FullName;
        File.WriteAllText(Path.Combine(raw, "a.html"), "<p>page</p>");
        File.WriteAllText(Path.Combine(raw, "b.py"), "def f():\r\n    return 1\n");
        File.WriteAllText(Path.Combine(raw, "sub", "c.jsonl"), "{\"text\":\"one\"}\n{\"text\":\"two\"}\n");
        File.WriteAllText(Path.Combine(raw, "empty.txt"), "");
        File.WriteAllText(Path.Combine(raw, "picture.png"), "x");
        File.WriteAllBytes(Path.Combine(raw, "program"), [1, 0, 2]);
        File.WriteAllBytes(Path.Combine(raw, "latin.txt"), [.. Encoding.Latin1.GetBytes(new string('a', 200) + "é")]);
        File.CreateSymbolicLink(Path.Combine(raw, "link"), Path.Combine(raw, "a.html"));

        ImportReport report = Import(raw, "web");
        Assert.Equal((4, 5, 1), (report.Files, report.Documents, report.Repaired));
        Assert.Equal(["empty", "not text, by its bytes", "not text, by its name", "symbolic link"], report.LeftOut.Keys);
        Assert.Equal(["page", "def f():\n    return 1\n", new string('a', 200) + "é", "one", "two"], Texts());
    }

    [Fact]
    public void Lines_that_are_not_utf8_are_repaired_and_their_file_is_counted_once()
    {
        File.WriteAllBytes(_corpus.PathOf("a.jsonl"), Encoding.Latin1.GetBytes("{\"text\":\"" + new string('a', 200) + "é\"}\n{\"text\":\"plain\"}\n{\"text\":\"éé\"}\n"));
        ImportReport report = Import(_corpus.PathOf("a.jsonl"), "web");
        Assert.Equal((1, 3, 1), (report.Files, report.Documents, report.Repaired));
        Assert.Equal([new string('a', 200) + "é", "plain", "\uFFFD\uFFFD"], Texts());
    }

    [Fact]
    public void A_second_import_adds_files()
    {
        File.WriteAllText(_corpus.PathOf("a.txt"), "first");
        File.WriteAllText(_corpus.PathOf("b.txt"), "second");
        Import(_corpus.PathOf("a.txt"), "web");
        Import(_corpus.PathOf("b.txt"), "web");
        Assert.Equal(["first", "second"], Texts());
        Assert.True(DocumentStore.IsStore(_corpus.PathOf("store")));
        Assert.Equal(["00000.jsonl.zst", "00001.jsonl.zst"], Directory.GetFiles(_corpus.PathOf("store/web")).Select(Path.GetFileName).Order());
    }

    /// <summary>What a store would hold but no reader take: escapes make the line longer than the file.</summary>
    [Fact]
    public void A_file_whose_line_could_not_be_read_back_is_refused_and_leaves_nothing()
    {
        string path = _corpus.PathOf("quotes.txt");
        File.WriteAllText(path, new string('"', 70 << 20));
        string message = Assert.Throws<UserErrorException>(() => Import(path, "web")).Message;
        Assert.Contains("quotes.txt makes a document of 140 MiB", message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_corpus.PathOf("store/web")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData(".hidden")]
    public void A_domain_that_is_no_folder_name_is_refused(string domain) =>
        Assert.Throws<UserErrorException>(() => new DocumentStoreWriter(_corpus.Root, domain).Dispose());

    private ImportReport Import(string path, string domain)
    {
        using var store = new DocumentStoreWriter(_corpus.PathOf("store"), domain);
        var importer = new Importer(store);
        importer.Import([path]);
        store.Complete();
        return importer.Report;
    }

    private List<string> Texts() =>
        [.. DocumentReader.ReadAll(DocumentStore.Resolve([_corpus.PathOf("store")], "none").SelectMany(domain => domain.Files)).Select(part => Encoding.UTF8.GetString(part.Text.Span))];
}
