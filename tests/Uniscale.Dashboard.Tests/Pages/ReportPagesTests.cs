using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Tests.Pages;

/// <summary>Plans, searches, failure simulations, matrices of faults, and the forks of a run.</summary>
public sealed class ReportPagesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string IdOf(string name) => new RunsFolder(_folder.FullPath).Find().Single(run => run.Name == name).Id;

    [Theory]
    [InlineData("""{"anything":12.5,"ranks":[{"rank":0,"of":"70 GiB"}]}""", "", "70 GiB")]
    [InlineData(
        """{"cluster":"a800","layout":{"ranks":2048,"tensor":8},"step":{"seconds":12.5,"mfu":0.4,"ranks":[{"rank":0,"stage":0,"count":2,"products":8,"waiting":2}]},"memory":[{"rank":0,"stage":0,"bytes":{"weights":1073741824},"unknown":["driver"]}],"run":{"days":90.5,"segments":[{"phase":"broad","steps":7}]}}""",
        "plan",
        "12.5 s",
        "90.5",
        "ranks 2048 tp8",
        "GEMM: 8 s",
        "weights: 1.00 GiB",
        "rank 0, stage 0, 2 alike",
        "Not counted: driver",
        "broad"
    )]
    [InlineData(
        """{"considered":1234,"priced":5,"best":[{"layout":{"tensor":2},"seconds":0.25,"bytes":1073741824,"heaviest_rank":3}],"front":[],"rejections":[{"count":9,"reason":"memory","example":"tp1"}]}""",
        "search",
        "1,234 layouts",
        "tp2",
        "0.250",
        "memory"
    )]
    [InlineData(
        """{"job":{"interval":3600},"mtbf_seconds":7200,"goodput":0.9375,"total_seconds":864000,"mean":{"useful":810000,"lost":54000},"p50":864000,"curve":[{"mtbf_seconds":3600,"goodput":0.5,"seconds":86400}],"kinds":[{"name":"gpu","per_second":0.0001,"nodes":1}]}""",
        "simulation",
        "93.8%",
        "lost work",
        "60.0 min",
        "{&quot;x&quot;:1,&quot;y&quot;:0.5"
    )]
    [InlineData(
        """[{"case":"kill-rank","layout":"dp2","outcome":"identical","exit_code":0,"detect_seconds":0.5,"back_seconds":2.25},{"case":"kill-rank","layout":"tp2","outcome":"failed","problem":"other bits"},{"case":"slow","layout":"tp2","outcome":"impossible"}]""",
        "faults",
        "same 0.5 / 2.3",
        "other bits"
    )]
    public async Task AReportIsShownByWhatItTellsOf(string json, string kind, params string[] expected)
    {
        _folder.Write("plans/one.json", json);
        await using var served = await ServedRuns.Of(_folder.FullPath);
        string list = await served.Page("/plans");
        Assert.Contains($"<td>{kind}</td>", list);
        string page = await served.Page("/plans?file=plans%2Fone.json");
        Assert.All(expected, text => Assert.Contains(text, page));
    }

    [Fact]
    public async Task TheResultsOfAMatrixAreFoundWhereItLeftThem()
    {
        _folder.Write(
            "matrix/results.jsonl",
            """{"Key":"k","Result":{"Case":"kill-rank","Layout":"dp2","Outcome":"Promised","ExitCode":3,"DetectSeconds":1.5,"BackSeconds":null,"Seconds":9,"Problem":"","IsGood":true}}"""
                + "\n{half"
        );
        await using var served = await ServedRuns.Of(_folder.FullPath);
        Assert.Contains("1 cells, 0 not as promised", await served.Page("/plans"));
        Assert.Contains("exit 3 1.5 /", await served.Page("/plans?file=matrix%2Fresults.jsonl"));
    }

    /// <summary>Fields of other kinds than they should be, and numbers beyond all bounds.</summary>
    [Theory]
    [InlineData("""{"step":{"seconds":"x","ranks":[1,{"products":1e999}]},"run":{"segments":{}},"memory":[{"bytes":[]},5],"layout":7}""")]
    [InlineData("""{"considered":[],"best":[1,{"layout":[]}],"front":[{"seconds":1e308,"bytes":1e308}],"rejections":[null]}""")]
    [InlineData("""{"job":{"interval":1e400},"goodput":"NaN","mean":[],"curve":[[]],"kinds":[{"per_second":0}],"total_seconds":0}""")]
    [InlineData("""[{"case":{},"layout":"l","outcome":"failed"},{"case":"c","layout":"l","outcome":"?"},null]""")]
    [InlineData("[]")]
    [InlineData("3")]
    [InlineData("{")]
    public async Task AReportOfNonsenseBreaksNothing(string json)
    {
        _folder.Write("plans/one.json", json);
        await using var served = await ServedRuns.Of(_folder.FullPath);
        await served.Page("/plans");
        await served.Page("/plans?file=plans%2Fone.json");
    }

    [Fact]
    public async Task ForksStandBelowTheirOrigin()
    {
        Run("origin", 10, 20);
        Run("fork", 10);
        Run("fork-of-fork", 10);
        Run("elsewhere", 30);
        foreach (string fork in (string[])["fork", "fork-of-fork", "elsewhere"])
            _folder.Write($"{fork}/fork.yaml", "name: x");
        // The second one was forked from a save of the first.
        foreach (string run in (string[])["fork", "fork-of-fork"])
            Save(run, 15, "of-the-fork");
        Directory.Delete(_folder.In("fork-of-fork/checkpoints/step-00000010"), recursive: true);
        await using var served = await ServedRuns.Of(_folder.FullPath);
        foreach (string name in (string[])["origin", "fork", "fork-of-fork"])
        {
            string page = await served.Page($"/run/{IdOf(name)}/checkpoints");
            Assert.Matches(@"(?s)origin.*from step 10.*from step 15", page);
            Assert.Matches($"""<strong aria-current="page">{name}</strong>""", page);
        }
        string alone = await served.Page($"/run/{IdOf("elsewhere")}/checkpoints");
        Assert.Contains("lost-run", alone);
        Assert.Contains("not in the served folder", alone);
        // A manifest that became shorter is seen without reading a tensor.
        File.WriteAllText(_folder.In("origin/checkpoints/step-00000020/manifest.json"), "{}");
        Assert.Contains("bytes in place of", await served.Page($"/run/{IdOf("origin")}/checkpoints"));

        void Run(string name, params int[] steps)
        {
            _folder.Write($"{name}/metrics.jsonl", Sample.Run(3));
            foreach (int step in steps)
                Save(name, step, $"at-{step}");
        }

        void Save(string run, int step, string attempt)
        {
            string folder = $"{run}/checkpoints/step-{step:00000000}",
                manifest = """{"world_size":1,"configuration_yaml":"name: lost-run"}""";
            _folder.Write($"{folder}/manifest.json", manifest);
            _folder.Write(
                $"{folder}/COMMITTED",
                $"uniscale-checkpoint 1\nstep {step}\nordinal 1\nkeep 1\nattempt {attempt}\nmanifest {manifest.Length} abc\ndigest x\n"
            );
        }
    }
}
