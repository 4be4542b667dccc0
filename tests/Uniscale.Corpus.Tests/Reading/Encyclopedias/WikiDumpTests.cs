using System.Text;
using SharpCompress.Compressors.BZip2;
using Uniscale.Corpus.Tests.Importing;

namespace Uniscale.Corpus.Tests.Reading.Encyclopedias;

public sealed class WikiDumpTests : IDisposable
{
    private const string Head = """
        <mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="de">
          <siteinfo><sitename>Wikipedia</sitename><namespaces><namespace key="0" case="first-letter" /><namespace key="6" case="first-letter">Datei</namespace><namespace key="14">Kategorie</namespace></namespaces></siteinfo>

        """;

    private static readonly string[] Pages =
    [
        Page(
            "Größe",
            "0",
            "7",
            "'''Größe''' ist [[Maß|das Maß]].\n[[Datei:x.png|mini]]\n\n&lt;ref&gt;y&lt;/ref&gt;[[Kategorie:A]]Ende &amp;amp; mehr."
        ),
        Page("Maß", "0", "8", "#WEITERLEITUNG [[Größe]]", "<redirect title=\"Größe\" />"),
        Page("Diskussion:Größe", "1", "9", "Wort"),
        Page("Leer", "0", "10", "{{Vorlage}}"),
        Page("Zweite", "0", "11", "Zeile 1\nZeile 2"),
    ];

    private readonly ImportFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Pages_of_the_main_namespace_become_title_and_words()
    {
        // Multistream: many streams of bzip2 in one file.
        byte[] bytes = [.. Bzip2(Head), .. Pages.SelectMany(Bzip2), .. Bzip2("</mediawiki>\n")];
        (var report, var documents) = _folder.Read(_folder.Write("dewiki-pages-articles-multistream.xml.bz2", bytes));
        Assert.Equal(
            ["Größe\n\nGröße ist das Maß.\n\nEnde & mehr.", "Zweite\n\nZeile 1\nZeile 2"],
            documents.Select(document => document.Text)
        );
        Assert.Equal(("7", "de", "2026-01-02T03:04:05Z"), (documents[0].SourceId, documents[0].Language, documents[0].Date));
        Assert.Equal(
            ["1 pages of other namespaces", "1 pages without text", "1 redirects"],
            report.LeftOut.Select(entry => $"{entry.Value} {entry.Key}")
        );
        Assert.Equal("bzip2 wiki", Assert.Single(report.Forms).Key);
        _folder.AssertDamaged("cut.xml.bz2", bytes[..^20], "bzip2");
        bytes[bytes.Length / 2] ^= 16;
        _folder.AssertDamaged("damaged.xml.bz2", bytes, "bzip2");
    }

    [Fact]
    public void A_dump_that_was_cut_is_left_out()
    {
        string whole = Head + string.Concat(Pages) + "</mediawiki>";
        _folder.AssertDamaged("cut.xml", Encoding.UTF8.GetBytes(whole[..^200]), "");
        _folder.AssertDamaged("end.xml", Encoding.UTF8.GetBytes(whole[..^12]), "");
    }

    [Fact]
    public void Wikiextractor_gives_a_document_a_page_in_either_of_its_forms()
    {
        const string doc =
            "<doc id=\"12\" url=\"https://en.wikipedia.org/wiki?curid=12\" title=\"Anarchism\">\nAnarchism\n\nAnarchism &lt;is&gt; one.\n\n\nTwo.\n</doc>\n<doc id=\"13\" url=\"u\" title=\"Empty\">\n\n</doc>\n";
        (var report, var documents) = _folder.Read(_folder.Write("AA/wiki_00", doc));
        Assert.Equal("Anarchism\n\nAnarchism <is> one.\n\n\nTwo.", Assert.Single(documents).Text);
        Assert.Equal(("12", "https://en.wikipedia.org/wiki?curid=12"), (documents[0].SourceId, documents[0].Url));
        Assert.Equal(("wikiextractor", 1L), (Assert.Single(report.Forms).Key, report.LeftOut["no text"]));
        _folder.AssertDamaged("wiki_01", Encoding.UTF8.GetBytes(doc[..^8]), "cut within a document");
        var json = Assert.Single(
            _folder.Read(_folder.Write("AB/wiki_00", "{\"id\": \"12\", \"url\": \"u\", \"title\": \"t\", \"text\": \"words\"}\n")).Documents
        );
        Assert.Equal(("12", "u", "words"), (json.SourceId, json.Url, json.Text));
    }

    private static string Page(string title, string space, string id, string text, string extra = "") =>
        $"<page><title>{title}</title><ns>{space}</ns><id>{id}</id>{extra}<revision><id>99</id><timestamp>2026-01-02T03:04:05Z</timestamp><contributor><username>U</username><id>5</id></contributor><comment>c</comment><model>wikitext</model><text bytes=\"1\" xml:space=\"preserve\">{text}</text></revision></page>\n";

    private static byte[] Bzip2(string text)
    {
        var compressed = new MemoryStream();
        using (
            var stream = BZip2Stream.Create(
                compressed,
                SharpCompress.Compressors.CompressionMode.Compress,
                decompressConcatenated: false,
                leaveOpen: true
            )
        )
            stream.Write(Encoding.UTF8.GetBytes(text));
        return compressed.ToArray();
    }
}
