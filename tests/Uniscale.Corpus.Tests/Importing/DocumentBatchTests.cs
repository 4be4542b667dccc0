using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using Uniscale.Corpus.Reading.Texts;

namespace Uniscale.Corpus.Tests.Importing;

public sealed class DocumentBatchTests : IDisposable
{
    private readonly ImportFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>An id names a document in stores, ledgers and reports: it stays what it was.</summary>
    [Theory]
    [InlineData("a", 1)]
    [InlineData("中文 text, \"quoted\"\n", 700)]
    [InlineData("a😀", 9001)] // pairs of surrogates, wherever a block of characters ends
    [InlineData("😀", 5000)]
    public void An_id_is_the_digest_of_source_and_UTF_16(string piece, int times)
    {
        string text = string.Concat(Enumerable.Repeat(piece, times));
        (_, var documents) = _folder.Read(_folder.Write("page.txt", text));
        var document = Assert.Single(documents);
        ulong digest = XxHash3.HashToUInt64(
            Encoding.UTF8.GetBytes(document.Source),
            (long)XxHash3.HashToUInt64(MemoryMarshal.AsBytes(text.AsSpan()))
        );
        Assert.Equal((text, digest.ToString("x16", CultureInfo.InvariantCulture)), (document.Text, document.Id));
    }

    /// <summary>What fits a line is counted in characters: more bytes than that do not make a text two.</summary>
    [Fact]
    public void A_text_of_long_characters_is_one_document_where_its_characters_fit()
    {
        string text = new('中', (PlainTextReader.MostCharacters / 3) + 1);
        (var report, var documents) = _folder.Read(_folder.Write("long.jsonl", $"{{\"text\":\"{text}\"}}\n"));
        var document = Assert.Single(documents);
        Assert.Equal(("long.jsonl:1", 0), (document.Source, report.Cut));
        Assert.True(text == document.Text);
    }

    /// <summary>Batches are used again: nothing of one is left in the next, damaged files and long documents among them.</summary>
    [Fact]
    public void Many_batches_hold_what_was_put_into_them()
    {
        string[] texts = [.. Enumerable.Range(0, 40).Select(number => $"{number} " + new string((char)('a' + (number % 26)), number * 40_000))];
        _folder.Write("raw/a.jsonl", string.Concat(texts.Select(text => $"{{\"text\":\"{text}\"}}\n")));
        byte[] half = ImportFolder.Gzip(Encoding.UTF8.GetBytes(string.Concat(texts)));
        _folder.Write("raw/b.txt.gz", half[..^9]);
        _folder.Write("raw/c.txt", "last");
        var report = _folder.Import(_folder.PathOf("raw"));
        Assert.Equal([.. texts, "last"], _folder.Texts());
        Assert.Equal(texts.Sum(text => text.Length) + 4, report.Bytes);
        Assert.Single(report.Damaged);
    }
}
