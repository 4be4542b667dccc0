using System.Diagnostics;
using System.Text;
using Uniscale.Configuration;

namespace Uniscale.Corpus.Tests.Importing;

public sealed class ImporterTests : IDisposable
{
    private readonly ImportFolder _corpus = new();

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

        var report = _corpus.Import(raw);
        Assert.Equal((4, 5, 1), (report.Files, report.Documents, report.Repaired));
        Assert.Equal(["empty", "not text, by its bytes", "not text, by its name", "symbolic link"], report.LeftOut.Keys);
        Assert.Equal(["page", "def f():\n    return 1\n", new string('a', 200) + "é", "one", "two"], _corpus.Texts());
    }

    /// <summary>A link to a folder above would be followed as often as the system lets it, two without end; a pipe never ends.</summary>
    [Fact]
    public void Links_to_folders_are_not_followed_and_pipes_not_opened()
    {
        string raw = Directory.CreateDirectory(_corpus.PathOf("raw/sub")).Parent!.FullName;
        File.WriteAllText(Path.Combine(raw, "sub", "a.txt"), "one");
        Directory.CreateSymbolicLink(Path.Combine(raw, "sub", "up"), raw);
        Directory.CreateSymbolicLink(Path.Combine(raw, "up"), raw);
        using (var make = Process.Start("mkfifo", [Path.Combine(raw, "pipe")]))
            make.WaitForExit();
        var report = _corpus.Import(raw);
        Assert.Equal((1, 2, 1), (report.Documents, report.LeftOut["symbolic link"], report.LeftOut["pipe or socket"]));
        Assert.Equal(["sub/a.txt"], _corpus.Documents().Select(document => document.Source));
    }

    /// <summary>.NET lists such a file, and cannot open it; one of thousands does not end the import of the others.</summary>
    [Fact]
    public void Names_that_are_not_utf8_are_counted()
    {
        string raw = Directory.CreateDirectory(_corpus.PathOf("raw")).FullName;
        File.WriteAllText(Path.Combine(raw, "\uFFFD.txt"), "a name with that character is one");
        Shell(
            "echo text > \"$(printf 'a\\377.txt')\"; mkdir \"$(printf 'd\\377')\"; echo text > \"$(printf 'd\\377')/b.txt\"",
            raw
        );
        var report = _corpus.Import(raw);
        Assert.Equal((1, 2), (report.Documents, report.LeftOut["name that is not UTF-8"]));
        Shell("rm -r *", raw); // .NET cannot
    }

    private static void Shell(string line, string folder)
    {
        using var shell = Process.Start(new ProcessStartInfo("sh", ["-c", line]) { WorkingDirectory = folder })!;
        shell.WaitForExit();
    }

    [Fact]
    public void Lines_that_are_not_utf8_are_repaired_and_their_file_is_counted_once()
    {
        File.WriteAllBytes(
            _corpus.PathOf("a.jsonl"),
            Encoding.Latin1.GetBytes("{\"text\":\"" + new string('a', 200) + "é\"}\n{\"text\":\"plain\"}\n{\"text\":\"éé\"}\n")
        );
        var report = _corpus.Import(_corpus.PathOf("a.jsonl"), "web");
        Assert.Equal((1, 2, 1, 1), (report.Files, report.Documents, report.Repaired, report.LeftOut["lines of unknown encoding"]));
        Assert.Equal([new string('a', 200) + "é", "plain"], _corpus.Texts());
    }

    [Fact]
    public void A_second_import_adds_files()
    {
        File.WriteAllText(_corpus.PathOf("a.txt"), "first");
        File.WriteAllText(_corpus.PathOf("b.txt"), "second");
        _corpus.Import(_corpus.PathOf("a.txt"), "web");
        _corpus.Import(_corpus.PathOf("b.txt"), "web");
        Assert.Equal(["first", "second"], _corpus.Texts());
        Assert.True(DocumentStore.IsStore(_corpus.PathOf("store")));
        Assert.Equal(
            ["00000.jsonl.zst", "00001.jsonl.zst"],
            Directory.GetFiles(_corpus.PathOf("store/web"), "*.zst").Select(Path.GetFileName).Order()
        );
    }

    /// <summary>Escapes make a line of a store longer than its text.</summary>
    [Fact]
    public void A_text_too_long_for_a_line_of_a_store_becomes_several()
    {
        string path = _corpus.PathOf("quotes.txt");
        File.WriteAllText(path, string.Concat(Enumerable.Repeat(new string('"', 999) + "\n", 30_000)));
        var report = _corpus.Import(path, "web");
        Assert.Equal((1, 1, 2), (report.Files, report.Cut, report.Documents));
        Assert.Equal(File.ReadAllText(path), string.Concat(_corpus.Texts()));
    }

    [Fact]
    public void A_text_file_above_the_longest_document_is_imported_in_parts()
    {
        string path = _corpus.PathOf("long.txt");
        using (var writer = File.CreateText(path))
            for (int line = 0; line < 135_000; line++)
                writer.Write(new string((char)('a' + (line % 26)), 999) + "\n");
        var report = _corpus.Import(path, "web");
        Assert.Equal((1, 135_000_000), (report.Files, report.Bytes));
        Assert.InRange(report.Documents, 8, 12);
    }

    [Theory]
    [InlineData("a.json", "{\"text\":\"one\"}\n{\"text\":\"two\"}\n")]
    [InlineData("A.JSONL", "{\"text\":\"one\"}\n{\"text\":\"two\"}\n")]
    [InlineData("wiki_00", "{\"id\":1,\"text\":\"one\"}\n{\"text\":\"two\"}\n")]
    [InlineData("a.json", "\uFEFF{\"text\":\"one\"}\n{\"text\":\"two\"}\n")]
    [InlineData("a.json", "[{\"text\":\"one\"},\n {\"text\":\"two\"}]")]
    [InlineData("a.jsonl", "{\"text\":null}\n{\"text\":\"one\"}\n{\"text\":\n\uFEFF{\"text\":\"two\"}\n[1]\n")]
    public void Json_is_known_by_its_content_and_bad_lines_do_not_end_the_rest(string name, string content)
    {
        foreach (bool compressed in (bool[])[false, true])
        {
            string path = _corpus.PathOf(compressed ? name + ".GZ" : name);
            File.WriteAllBytes(path, compressed ? ImportFolder.Gzip(Encoding.UTF8.GetBytes(content)) : Encoding.UTF8.GetBytes(content));
            _corpus.Import(path, compressed ? "gz" : "plain");
            Assert.Equal(["one", "two"], _corpus.Texts(compressed ? "gz" : "plain"));
        }
    }

    [Fact]
    public void Half_a_surrogate_pair_is_replaced_and_counted()
    {
        File.WriteAllText(_corpus.PathOf("a.jsonl"), """{"text":"a\ud83d b \ud83d\ude42 \\ud83d"}""");
        Assert.Equal(1, _corpus.Import(_corpus.PathOf("a.jsonl"), "web").Repaired);
        Assert.Equal(["a\uFFFD b \U0001F642 \\ud83d"], _corpus.Texts());
    }

    [Theory]
    [InlineData(".gz", "a.txt")]
    [InlineData(".gz", "a.jsonl")]
    [InlineData(".zst", "a.txt")]
    [InlineData(".zst", "a.jsonl")]
    public void A_stream_that_was_cut_is_left_out_named_or_kept_in_part(string extension, string name)
    {
        byte[] text = Encoding.UTF8.GetBytes(
            string.Concat(Enumerable.Range(0, 20_000).Select(i => $"{{\"text\":\"document {i * 7919} {i}\"}}\n"))
        );
        byte[] whole = extension == ".gz" ? ImportFolder.Gzip(text) : ImportFolder.Zstd(text),
            flushed = extension == ".gz" ? ImportFolder.Gzip(text, ends: false) : ImportFolder.Zstd(text, ends: false);
        string path = _corpus.PathOf(name + extension);
        File.WriteAllText(_corpus.PathOf("good.txt"), "good");
        foreach (byte[] cut in (byte[][])[whole[..^1], whole[..^9], whole[..(whole.Length / 2)], flushed, []])
        {
            File.WriteAllBytes(path, cut);
            string domain = $"d{cut.Length}";
            var report = _corpus.Import([path, _corpus.PathOf("good.txt")], domain);
            Assert.Contains(name + extension, Assert.Single(report.Damaged), StringComparison.Ordinal);
            Assert.Equal(["good"], _corpus.Texts(domain));
        }
        File.WriteAllBytes(path, whole[..(whole.Length / 2)]);
        Assert.Contains(
            "cannot be read",
            Assert.Throws<UserErrorException>(() => _corpus.Import([path], "strict", new ImportOptions { Strict = true })).Message,
            StringComparison.Ordinal
        );
        if (name == "a.jsonl")
            Assert.InRange(_corpus.Import([path], "partial", new ImportOptions { KeepPartial = true }).Documents, 1, 19_999);
        File.WriteAllBytes(path, []);
        Assert.DoesNotContain("", _corpus.Import([path], "nothing", new ImportOptions { KeepPartial = true }).Forms.Keys);
    }

    [Fact]
    public void Encodings_are_declared_or_seen_and_what_is_neither_is_left_out()
    {
        Encoding.RegisterProvider(CodePagesEncodingProvider.Instance);
        const string chinese = "\u8BAD\u7EC3\u8BED\u8A00\u6A21\u578B";
        File.WriteAllBytes(
            _corpus.PathOf("a.html"),
            Encoding.GetEncoding("gb18030").GetBytes($"<html><head><meta charset=gbk></head><body>{chinese}</body></html>")
        );
        File.WriteAllBytes(_corpus.PathOf("b.txt"), [.. Encoding.Unicode.Preamble, .. Encoding.Unicode.GetBytes(chinese)]);
        File.WriteAllBytes(
            _corpus.PathOf("c.py"),
            Encoding.GetEncoding(1252).GetBytes("# -*- coding: latin-1 -*-\nx = '\u00E9\u00E8\u00E7\u00E0'")
        );
        File.WriteAllBytes(_corpus.PathOf("d.txt"), [.. Enumerable.Range(0, 2000).Select(i => (byte)(128 + (i * 37 % 127)))]);
        var report = _corpus.Import(
            [_corpus.PathOf("a.html"), _corpus.PathOf("b.txt"), _corpus.PathOf("c.py"), _corpus.PathOf("d.txt")],
            "web"
        );
        Assert.Equal([chinese, chinese, "# -*- coding: latin-1 -*-\nx = '\u00E9\u00E8\u00E7\u00E0'"], _corpus.Texts());
        Assert.Equal(1, report.LeftOut["text of unknown encoding"]);
    }

    [Fact]
    public void Only_the_line_ends_of_other_systems_change()
    {
        File.WriteAllText(_corpus.PathOf("a.c"), "a\r\nb\fc\u2028d\u0085e\rf");
        File.WriteAllText(_corpus.PathOf("b.html"), "<pre>a\fb\u2028c</pre>");
        _corpus.Import([_corpus.PathOf("a.c"), _corpus.PathOf("b.html")], "web");
        Assert.Equal(["a\nb\fc\u2028d\u0085e\rf", "a\fb\u2028c"], _corpus.Texts());
    }

    [Fact]
    public void What_was_imported_is_not_imported_twice_unless_its_part_is_gone()
    {
        File.WriteAllText(_corpus.PathOf("a.txt"), "first");
        File.WriteAllText(_corpus.PathOf("b.txt"), "second");
        _corpus.Import(_corpus.PathOf("a.txt"), "web");
        _corpus.Import(_corpus.PathOf("b.txt"), "web");
        Assert.Equal(
            (0, 1),
            (
                _corpus.Import(_corpus.PathOf("a.txt"), "web").Documents,
                _corpus.Import(_corpus.PathOf("a.txt"), "web").LeftOut["imported before"]
            )
        );
        Assert.Equal(1, _corpus.Import([_corpus.PathOf("b.txt")], "web", new ImportOptions { Again = true }).Documents);
        File.Delete(_corpus.PathOf("store/web/00000.jsonl.zst"));
        _corpus.Import(_corpus.PathOf("a.txt"), "web");
        Assert.Equal(["second", "second", "first"], _corpus.Texts());
        File.Delete(_corpus.PathOf("store/web/00003.jsonl.zst"));
        _corpus.Import(_corpus.PathOf("a.txt"), "web");
        Assert.True(File.Exists(_corpus.PathOf("store/web/00004.jsonl.zst")), "a name was used again");
    }

    [Fact]
    public void Two_imports_at_once_into_a_domain_are_refused_in_a_sentence()
    {
        using var first = new DomainFolder(_corpus.PathOf("store"), "web");
        _corpus.Write("a.txt", "first");
        Assert.StartsWith(
            "Another import into",
            Assert.Throws<UserErrorException>(() => _corpus.Import(_corpus.PathOf("a.txt"), "web")).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(1, _corpus.Import(_corpus.PathOf("a.txt"), "books").Documents);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData(".hidden")]
    public void A_domain_that_is_no_folder_name_is_refused(string domain) =>
        Assert.Throws<UserErrorException>(() => _corpus.Import(_corpus.Write("a.txt", "text"), domain));
}
