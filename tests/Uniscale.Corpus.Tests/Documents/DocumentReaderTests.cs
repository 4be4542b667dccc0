using System.IO.Compression;
using System.Text;
using Uniscale.Configuration;
using Uniscale.Data.Tests;

namespace Uniscale.Corpus.Tests;

public sealed class DocumentReaderTests : IDisposable
{
    private readonly ShardFolder _corpus = new();

    public void Dispose() => _corpus.Dispose();

    [Fact]
    public void Json_lines_give_their_text_unescaped()
    {
        string path = Write(
            "a.jsonl",
            "{\"id\": 3, \"meta\": {\"text\": \"no\"}, \"text\": \"one\\n\\u4e16\\\"\"}\r\n\n{\"text\":\"two\"}"
        );
        Assert.Equal(["one\n世\"", "two"], Texts(path));
    }

    [Fact]
    public void Compressed_files_are_read()
    {
        string gz = _corpus.PathOf("a.txt.gz"),
            zst = _corpus.PathOf("b.jsonl.zst");
        using (var stream = new GZipStream(File.Create(gz), CompressionLevel.Fastest))
            stream.Write("zipped"u8);
        using (var stream = new ZstdSharp.CompressionStream(File.Create(zst), leaveOpen: false))
            stream.Write("{\"text\":\"packed\"}\n"u8);
        Assert.Equal(["zipped", "packed"], Texts(gz).Concat(Texts(zst)));
    }

    [Theory]
    [InlineData("{\"text\": 5}", "Line 1 of", "has no string \"text\"")]
    [InlineData("{\"other\": \"x\"}", "Line 1 of", "has no string \"text\"")]
    [InlineData("[1, 2]", "Line 1 of", "has no string \"text\"")]
    [InlineData("{\"text\": \"cut", "Line 1 of", "is not JSON")]
    [InlineData("{\"text\": \"whole\"", "Line 1 of", "is not JSON")]
    [InlineData("{\"text\": \"whole\"} rest", "Line 1 of", "is not JSON")]
    public void Lines_that_are_no_documents_are_refused(string line, string place, string problem)
    {
        string message = Refused(Write("bad.jsonl", line));
        Assert.Contains(place, message, StringComparison.Ordinal);
        Assert.Contains(problem, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Invalid_utf8_is_refused_with_its_place()
    {
        string text = _corpus.PathOf("a.txt"),
            lines = _corpus.PathOf("b.jsonl");
        File.WriteAllBytes(text, [.. Encoding.UTF8.GetBytes(new string('x', 300_000)), 0xFF, (byte)'y']);
        File.WriteAllBytes(lines, [.. "{\"text\": \"ok\"}\n{\"text\": \""u8, 0xC3, (byte)'"', (byte)'}']);
        Assert.Contains("a.txt is not valid UTF-8 at byte 300000", Refused(text), StringComparison.Ordinal);
        Assert.Contains("Line 2 of", Refused(lines), StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_archive_is_named()
    {
        string path = _corpus.PathOf("broken.txt.gz");
        File.WriteAllText(path, "this is no archive");
        Assert.Contains("broken.txt.gz cannot be decompressed", Refused(path), StringComparison.Ordinal);
        Assert.Contains("does not exist", Refused(_corpus.PathOf("none.txt")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_long_line_is_refused_by_the_line_reader_and_read_as_a_file()
    {
        byte[] line = new byte[3 << 20];
        Array.Fill(line, (byte)'z');
        var reader = new LineReader(new MemoryStream([.. "short\n"u8, .. line]), "long.jsonl", maxLineBytes: 1 << 20);
        Assert.True(reader.TryRead(out var first));
        Assert.Equal(5, first.Length);
        Assert.Contains(
            "Line 2 of long.jsonl is longer than 1 MiB",
            Assert.Throws<UserErrorException>(() => reader.TryRead(out _)).Message,
            StringComparison.Ordinal
        );

        string path = _corpus.PathOf("long.txt");
        File.WriteAllBytes(path, line);
        var parts = DocumentReader.Read(path).Select(part => (part.Text.Length, part.IsFirst, part.IsLast)).ToList();
        Assert.Equal(line.Length, parts.Sum(part => part.Length));
        Assert.All(parts, part => Assert.InRange(part.Length, 1, 5 << 20));
        Assert.Equal((1, 1), (parts.Count(part => part.IsFirst), parts.Count(part => part.IsLast)));
    }

    [Fact]
    public void A_byte_order_mark_is_not_text() => Assert.Equal(["text"], Texts(Write("bom.txt", "\uFEFFtext")));

    private static List<string> Texts(string path) =>
        [.. DocumentReader.Read(path).Select(part => Encoding.UTF8.GetString(part.Text.Span))];

    private string Write(string name, string content)
    {
        File.WriteAllText(_corpus.PathOf(name), content);
        return _corpus.PathOf(name);
    }

    private static string Refused(string path) => Assert.Throws<UserErrorException>(() => DocumentReader.Read(path).ToList()).Message;
}
