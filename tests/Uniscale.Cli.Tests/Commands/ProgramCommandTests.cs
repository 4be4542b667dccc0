using System.Diagnostics;
using System.Text.Json;
using System.Xml.Linq;
using Uniscale.Programs.Tracing;

namespace Uniscale.Cli.Tests.Commands;

public sealed class ProgramCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-cli-").FullName;
    private readonly string _file;

    public ProgramCommandTests()
    {
        _file = Path.Combine(_folder, "run.yaml");
        File.WriteAllText(
            _file,
            """
            model: { layers: 6, hidden: 64, heads: 4, vocabulary: 512, context: 64 }
            train: { steps: 3 }
            batch: { global: 16, micro: 1 }
            parallel: { pipeline: 4, data: 2, zero: { stage: 1 }, schedule: zero-bubble }
            """
        );
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void It_shows_groups_stages_instructions_picture_and_verdict()
    {
        var (code, output, error) = CommandRun.Of("program", _file);
        Assert.True(code == 0, error);
        Assert.Contains("pipeline      [0, 2, 4, 6]  [1, 3, 5, 7]", output);
        Assert.Contains("stage 1   b2..3", output);
        Assert.Contains("backward-input b1 m0", output);
        Assert.Contains("Checked: all 8 ranks", output);
    }

    [Fact]
    public void The_trace_opens_in_viewers()
    {
        string trace = Path.Combine(_folder, "trace.json");
        Assert.Equal(0, CommandRun.Of("program", _file, "--trace", trace).Code);
        Assert.NotEmpty(JsonDocument.Parse(File.ReadAllText(trace)).RootElement.GetProperty("traceEvents").EnumerateArray());
    }

    [Fact]
    public void The_picture_is_an_image_with_a_row_a_rank()
    {
        string image = Path.Combine(_folder, "pipeline.svg");
        Assert.Equal(0, CommandRun.Of("program", _file, "--picture", image).Code);
        var words = XDocument
            .Load(image)
            .Descendants()
            .Where(element => element.Name.LocalName == "text")
            .Select(element => element.Value)
            .ToList();
        Assert.All((string[])["rank 0", "rank 2", "rank 4", "rank 6", "weight gradients"], word => Assert.Contains(word, words));
        Assert.StartsWith("zero-bubble: 4 stages, 8 microbatches, bubble ", words[0], StringComparison.Ordinal);
    }

    /// <summary>The picture of the README is what its command draws today.</summary>
    [Fact]
    public void The_picture_of_the_readme_is_current()
    {
        string image = Path.Combine(_folder, "pipeline.svg"),
            shown = Path.Combine(Repository.Root, "docs", "images", "pipeline.svg");
        Assert.Equal(
            0,
            CommandRun
                .Of("program", Path.Combine(Repository.Root, "configs", "benchmarks", "benchmark-pipeline.yaml"), "--picture", image)
                .Code
        );
        Assert.True(
            File.ReadAllText(image) == File.ReadAllText(shown),
            "run: scripts/uniscale program configs/benchmarks/benchmark-pipeline.yaml --picture docs/images/pipeline.svg"
        );
    }

    [Theory]
    [InlineData("models/internlm-104b.yaml", 104)]
    [InlineData("tests/stress-200b.yaml", 206)]
    public void Every_rank_of_2048_is_checked_in_seconds(string config, int billions)
    {
        var clock = Stopwatch.StartNew();
        var (code, output, error) = CommandRun.Of("program", Path.Combine(Repository.Root, "configs", config));
        Assert.True(code == 0, error);
        Assert.Contains("Checked: all 2048 ranks", output);
        Assert.Matches($@"\({billions},\d{{3}},\d{{3}},\d{{3}} parameters", output);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), $"{clock.Elapsed}");
    }

    [Fact]
    public void A_measured_trace_is_drawn_beside_the_prediction()
    {
        string trace = Path.Combine(_folder, "measured.json");
        using (var stream = File.Create(trace))
        using (var writer = new ChromeTraceWriter(stream))
            for (int rank = 0; rank < 8; rank++)
            {
                writer.Write("forward b0 m0", "compute", 1000, 500, rank, 0);
                writer.Write("norm", "compute", 2000, 1, rank, 0);
            }
        Assert.Contains("Bubble: 0.0 % measured", CommandRun.Of("program", _file, "--measured", trace).Output);
        var (code, _, error) = CommandRun.Of("program", _file, "--ranks", "4", "--set", "parallel.data=1", "--measured", trace);
        Assert.Equal(2, code);
        Assert.Contains("no complete step of 4 ranks", error);
    }

    [Theory]
    [InlineData("--ranks", "6", "--rank", "0", "8 ranks")]
    [InlineData("--rank", "8", "--ranks", "8", "choose 0 to 7")]
    [InlineData("--set", "parallel.schedule=gpip", "--rank", "0", "choose one of 1f1b, gpipe")]
    public void What_cannot_work_is_refused_with_what_to_change(string first, string second, string third, string fourth, string hint)
    {
        var (code, _, error) = CommandRun.Of("program", _file, first, second, third, fourth);
        Assert.Equal(2, code);
        Assert.Contains(hint, error);
    }
}
