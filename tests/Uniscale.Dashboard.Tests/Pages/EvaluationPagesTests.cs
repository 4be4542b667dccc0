using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Tests.Pages;

/// <summary>Exams, needles, and answers of runs that learn from them, as the commands leave them in a run's folder.</summary>
public sealed class EvaluationPagesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string PathOf(string name) => $"/run/{new RunsFolder(_folder.FullPath).Find().Single(run => run.Name == name).Id}";

    [Fact]
    public async Task ScoresStandBesideEachOtherWithTheirErrors()
    {
        _folder.Write("a/metrics.jsonl", Sample.Run(2));
        _folder.Write("a/evaluation/results_2026-11-29T10-00-00.json", Sample.Results(accuracy: 0.5));
        _folder.Write("a/evaluation/results_2026-11-30T10-00-00.json", Sample.Results(accuracy: 0.625));
        _folder.Write("a/evaluation/results_broken.json", "{");
        _folder.Write("b/metrics.jsonl", Sample.Run(2));
        _folder.Write("b/evaluation/results_2026-11-30T10-00-00.json", Sample.Results(accuracy: 0.75));
        await using var served = await ServedRuns.Of(_folder.FullPath);
        string page = await served.Page(PathOf("a") + "/evaluations");
        Assert.Matches("62\\.50 \u00b1 1\\.00%</td>\\s*<td[^>]*>50\\.00 \u00b1 1\\.00%", System.Net.WebUtility.HtmlDecode(page));
        Assert.Contains("Parts: 1 subjects", page);
        Assert.Contains("25.00%", page);
        Assert.Contains("2.5</td>", page);
        Assert.Contains("harness, letter, 5 shots", page);
        string compared = await served.Page($"/compare?run={PathOf("a")[5..]}&run={PathOf("b")[5..]}");
        Assert.Contains("62.50", compared);
        Assert.Contains("75.00", compared);
    }

    [Fact]
    public async Task QuestionsArePagedAndThoseAnsweredWronglyFound()
    {
        _folder.Write("a/metrics.jsonl", Sample.Run(2));
        _folder.Write(
            "a/evaluation/samples_mmlu_2026.jsonl",
            string.Concat(
                Enumerable
                    .Range(0, 120)
                    .Select(i =>
                        $$"""{"doc_id":{{i}},"id":"q{{i}}","subject":"algebra","question":"Question {{i}}?","target":"A","chosen":"{{(i % 2 == 0 ? "A" : "B")}}","resps":[-1.5],"acc":{{1 - i % 2}},"shortest":0}"""
                        + "\n"
                    )
            ) + "{half"
        );
        await using var served = await ServedRuns.Of(_folder.FullPath);
        string address = PathOf("a") + "/evaluations";
        Assert.Contains("samples_mmlu_2026.jsonl", await served.Page(address));
        string first = await served.Page(address + "?samples=evaluation%2Fsamples_mmlu_2026.jsonl");
        Assert.Contains("Question 49?", first);
        Assert.DoesNotContain("Question 50?", first);
        Assert.Contains("Page 1 of 3", first);
        string wrong = await served.Page(address + "?samples=evaluation%2Fsamples_mmlu_2026.jsonl&wrong=1&page=2");
        Assert.Contains("Question 119?", wrong);
        Assert.DoesNotContain("Question 118?", wrong);
        // A name that is not in the list opens nothing.
        Assert.Contains("Exams", await served.Page(address + "?samples=..%2Fmetrics.jsonl"));
    }

    [Fact]
    public async Task NeedlesAreAHeatMap()
    {
        _folder.Write("a/metrics.jsonl", Sample.Run(2));
        _folder.Write(
            "a/evaluation/needle_2026-11-30.csv",
            """
            length,characters,depth,repeat,needle_token,key,answer,found,edit_distance,score
            1000,4000,0,0,5,1234567,"it is ""1234567"",
            I think",1,0,100
            1000,4000,50,0,500,7654321,no,0,7,0
            1000,4000,50,1,500,7654321,7654321,1,0,100

            """
        );
        await using var served = await ServedRuns.Of(_folder.FullPath);
        string page = await served.Page(PathOf("a") + "/evaluations");
        Assert.Contains("2 of 3 needles were found", page);
        Assert.Contains("hsl(152,45%,53%)", page);
        Assert.Contains("hsl(152,45%,74%)", page);
        Assert.Contains("it is &quot;1234567&quot;,", page);
        Assert.Contains(">50%</th>", page);
    }

    /// <summary>A table whose every line has a length and a depth of its own would have as many cells as their product.</summary>
    [Fact]
    public async Task AHugeHeatMapIsCut()
    {
        _folder.Write("a/metrics.jsonl", Sample.Run(2));
        _folder.Write(
            "a/evaluation/needle_x.csv",
            "length,depth,score\n" + string.Concat(Enumerable.Range(0, 20_000).Select(i => $"{i},{i},50\n"))
        );
        await using var served = await ServedRuns.Of(_folder.FullPath);
        Assert.InRange((await served.Page(PathOf("a") + "/evaluations")).Length, 10_000, 2_000_000);
    }

    [Fact]
    public async Task RewardsAndAnswersAreShownByRound()
    {
        string told = "\"measures\":{\"objective/scores\":0.5,\"objective/kl\":0.01,\"reward/number\":0.25,\"my/own\":1},\"kind",
            held = "\"measures\":{\"reward/number\":0.125},\"kind";
        _folder.Write(
            "a/metrics.jsonl",
            string.Concat(
                Sample.Start() + "\n",
                Sample.Step(1).Replace("\"kind", told, StringComparison.Ordinal) + "\n",
                """{"kind":"evaluation","step":1,"task":"mmlu","metric":"acc","scores":{"acc":0.375,"acc_norm":1}}""" + "\n",
                Sample.Validation(1, "held", 2).Replace("\"kind", held, StringComparison.Ordinal) + "\n"
            )
        );
        foreach (int step in (int[])[0, 20])
            _folder.Write(
                $"a/alignment/answers-{step:D8}.jsonl",
                $$"""{"number":0,"domain":"d","prompt":[{"role":"user","content":"Why?"}],"answer":"because {{step}}","reward":{{step}},"ended":true}""" + "\n{half"
            );
        _folder.Write("a/alignment/answers-odd.jsonl", "{}");
        await using var served = await ServedRuns.Of(_folder.FullPath);
        string run = PathOf("a"),
            page = await served.Page(run + "/alignment");
        Assert.Contains("data-curve=\"measure/objective/scores\"", page);
        Assert.Contains("data-curve=\"measure/reward/number\"", page);
        Assert.Contains("data-held=\"reward/number\"", page);
        Assert.Contains("data-curve=\"measure/my/own\"", page);
        Assert.Matches(@"(?s)user: Why\?.*because 0 \[0\]</td>\s*<td[^>]*>because 20 \[20\]", page);
        Assert.DoesNotContain("because 0 [0]", await served.Page(run + "/alignment?round=20"));
        Assert.Contains(">0.3750</td>", await served.Page(run + "/evaluations"));
        string series = await served.Page($"/series?run={run[5..]}&name=measure%2Fobjective%2Fkl&name=validation%2Freward%2Fnumber");
        Assert.Contains("\"y\":[0.01]", series);
        Assert.Contains("\"held\":{\"reward/number\":{\"held\":[[1,0.125]]}}", series);
    }
}
