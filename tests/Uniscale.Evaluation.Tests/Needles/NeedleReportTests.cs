using Uniscale.Configuration;
using Uniscale.Evaluation.Needles;

namespace Uniscale.Evaluation.Tests.Needles;

public sealed class NeedleReportTests
{
    private static readonly NeedleOptions Options = new() { Lengths = [1000, 2000], Depths = 2 };

    private static readonly NeedleReport Report = new(
        "text",
        Options,
        [Result(1000, 0, "is 1234567."), Result(1000, 100, " 1234568, \"I\nthink\""), Result(2000, 0, ""), Result(2000, 100, "1234567")]
    );

    private static NeedleResult Result(int length, double depth, string answer) =>
        new(new NeedleCell(length, depth, 0, "1234567", [1, 2], 1, 4 * length), answer);

    [Theory]
    [InlineData("", "abc", 3)]
    [InlineData("kitten", "sitting", 3)]
    [InlineData("ab", "ba", 2)]
    [InlineData("1234568", "1234567", 1)]
    public void EditDistancesAreLevenshteins(string a, string b, int distance)
    {
        Assert.Equal(distance, NeedleResult.DistanceOf(a, b));
        Assert.Equal(distance, NeedleResult.DistanceOf(b, a));
    }

    /// <summary>The key anywhere in the answer counts 100; otherwise a fifth of the likeness of the whole answer.</summary>
    [Fact]
    public void AKeyInTheAnswerCountsAllElseLikenessAFifth()
    {
        Assert.Equal([true, false, false, true], Report.Results.Select(result => result.Found));
        Assert.Equal(20 * (1 - 1.0 / 7), Result(1, 0, " 1234568 ").Score, 12);
        Assert.Equal(0, Report.Results[2].Score, 12);
        Assert.Equal(0.5, Report.Found.Value);
    }

    [Fact]
    public void TablesAndCsvHoldEveryCell()
    {
        string[] table = [.. Report.Table()];
        Assert.Equal(["tokens", "characters", "found", "score", "0%", "100%"], table[0].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(["2000", "8000", "50%", "50.0", "0", "100"], table[2].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("50.0% of 4 needles", table[3], StringComparison.Ordinal);
        string path = Path.GetTempFileName();
        Report.WriteCsv(path);
        string text = File.ReadAllText(path);
        File.Delete(path);
        Assert.StartsWith(
            "length,characters,depth,repeat,needle_token,key,answer,found,edit_distance,score",
            text,
            StringComparison.Ordinal
        );
        Assert.Contains("1000,4000,100,0,1,1234567,\" 1234568, \"\"I\nthink\"\"\",0,", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(".png", "\u0089PNG")]
    [InlineData(".svg", "<?xml")]
    public void TheHeatMapIsAPicture(string ending, string begin)
    {
        string path = Path.Combine(Path.GetTempPath(), $"uniscale-needle-{Guid.NewGuid():N}{ending}");
        NeedlePicture.Write(Report, "made", path);
        string text = System.Text.Encoding.Latin1.GetString(File.ReadAllBytes(path));
        File.Delete(path);
        Assert.StartsWith(begin, text, StringComparison.Ordinal);
        Assert.True(text.Length > 2000);
    }

    [Fact]
    public void APictureNeedsAFormat() =>
        Assert.Contains(
            "says no format",
            Assert.Throws<UserErrorException>(() => NeedlePicture.CheckName("map.bmp")).Message,
            StringComparison.Ordinal
        );

    [Theory]
    [InlineData("1k,4k", new[] { 1000, 4000 })]
    [InlineData("1k..200k", new[] { 1000, 2000, 4000, 8000, 16000, 32000, 64000, 128000, 200000 })]
    [InlineData("4096, 512..1024", new[] { 512, 1024, 4096 })]
    public void LengthsAreListsAndDoublings(string text, int[] lengths) => Assert.Equal(lengths, NeedleOptions.ParseLengths(text));

    [Theory]
    [InlineData("", "names no length")]
    [InlineData("4k..1k", "write 1k..4k")]
    [InlineData("x", "is no count of tokens")]
    [InlineData("0", "--lengths 0 is no length")]
    [InlineData("9T", "--lengths 9T is no length")]
    public void OtherLengthsAreRefused(string text, string sentence) =>
        Assert.Contains(
            sentence,
            Assert.Throws<UserErrorException>(() => NeedleOptions.ParseLengths(text)).Message,
            StringComparison.Ordinal
        );

    [Fact]
    public void StretchingsAreThoseOfTheConfiguration()
    {
        Assert.Equal(RopeScalingKind.NtkAware, NeedleOptions.ParseScaling("ntk-aware"));
        Assert.Contains(
            "give one of none, linear, ntk-aware, dynamic, yarn, llama3",
            Assert.Throws<UserErrorException>(() => NeedleOptions.ParseScaling("ntk")).Message,
            StringComparison.Ordinal
        );
    }
}
