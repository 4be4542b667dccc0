using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Uniscale.Dashboard.Reading;

namespace Uniscale.Dashboard.Tests.Reading;

public sealed class LineScannerTests
{
    [Fact]
    public void LinesAreThoseOfTheFileHoweverItGrows()
    {
        var texts = Gen.Elements("", "a", "bb", "{\"kind\":\"step\"}", "é", new string('x', 40)).ListOf();
        Prop.ForAll(
                texts.ToArbitrary(),
                Gen.Choose(1, 30).ToArbitrary(),
                (lines, portion) =>
                {
                    byte[] bytes = Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => line + "\n")));
                    var (scanner, found, stream) = (new LineScanner(64), new List<string>(), new MemoryStream());
                    for (int start = 0; start < bytes.Length; start += portion)
                    {
                        stream.Position = stream.Length;
                        stream.Write(bytes, start, Math.Min(portion, bytes.Length - start));
                        Assert.True(scanner.Continues(stream));
                        scanner.Read(stream, line => found.Add(Encoding.UTF8.GetString(line)));
                    }
                    Assert.Equal(lines, found);
                    Assert.Equal(bytes.Length, scanner.Position);
                }
            )
            .QuickCheckThrowOnFailure();
    }

    [Fact]
    public void ALineWithoutItsEndWaits()
    {
        var (scanner, found, stream) = (new LineScanner(64), new List<string>(), new MemoryStream());
        stream.Write("whole\nhal"u8);
        scanner.Read(stream, line => found.Add(Encoding.UTF8.GetString(line)));
        Assert.Equal(["whole"], found);
        stream.Position = stream.Length;
        stream.Write("f\n"u8);
        scanner.Read(stream, line => found.Add(Encoding.UTF8.GetString(line)));
        Assert.Equal(["whole", "half"], found);
    }

    [Theory]
    [InlineData(65, 1)]
    [InlineData(1_000_000, 1)]
    [InlineData(64, 0)]
    public void ATooLongLineIsPassedOver(int length, int passedOver)
    {
        var (scanner, found) = (new LineScanner(64), new List<int>());
        var stream = new MemoryStream([.. "a\n"u8, .. Encoding.ASCII.GetBytes(new string('x', length)), .. "\nb\n"u8]);
        while (scanner.Read(stream, line => found.Add(line.Length), most: 17) > 0) { }
        Assert.Equal(passedOver, scanner.LongLines);
        Assert.Equal(passedOver == 1 ? [1, 1] : [1, length, 1], found);
    }

    [Fact]
    public void AFileThatWasRewrittenIsNoticed()
    {
        var scanner = new LineScanner(1_000);
        byte[] text = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 50).Select(i => $"line {i}\n")));
        scanner.Read(new MemoryStream(text), _ => { });
        Assert.True(scanner.Continues(new MemoryStream([.. text, .. "more\n"u8])));
        Assert.False(scanner.Continues(new MemoryStream(text[..^5])));
        text[^3]++;
        Assert.False(scanner.Continues(new MemoryStream([.. text, .. "more\n"u8])));
    }
}
