using System.Text;

namespace Uniscale.Configuration.Tests;

public sealed class TextFileTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();

    public void Dispose() => File.Delete(_path);

    public static TheoryData<byte[]> Encodings =>
        [
            Encoding.UTF8.GetBytes("one\n\u4E2D\n"),
            (byte[])[.. Encoding.UTF8.Preamble, .. Encoding.UTF8.GetBytes("one\n\u4E2D\n")],
            (byte[])[.. Encoding.Unicode.Preamble, .. Encoding.Unicode.GetBytes("one\n\u4E2D\n")],
        ];

    [Theory]
    [MemberData(nameof(Encodings))]
    public void MarksAreReadAndLeftOut(byte[] bytes)
    {
        File.WriteAllBytes(_path, bytes);
        Assert.Equal("one\n\u4E2D\n", TextFile.All(_path));
        Assert.Equal(["one", "\u4E2D"], TextFile.Lines(_path));
    }

    [Fact]
    public void AnotherEncodingIsRefusedWhereItIs()
    {
        File.WriteAllBytes(_path, [.. Encoding.ASCII.GetBytes(new string('x', 100_000) + "\n"), 0xD6, 0xD0, (byte)'\n']);
        // The reader decodes ahead of the line that it gives.
        Assert.Matches("is not UTF-8 near line [12]: ", Assert.Throws<UserErrorException>(() => TextFile.Lines(_path).Count()).Message);
        Assert.Contains("is not UTF-8: ", Assert.Throws<UserErrorException>(() => TextFile.All(_path)).Message);
    }
}
