using System.Net;
using System.Text.Json;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Tests.Pages;

public sealed class PagesTests : IDisposable
{
    private static readonly string[] OfARun =
    [
        "",
        "/log",
        "/events",
        "/configuration",
        "/checkpoints",
        "/timeline",
        "/layout",
        "/curriculum",
        "/evaluations",
        "/alignment",
    ];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string IdOf(string name) => new RunsFolder(_folder.FullPath).Find().Single(run => run.Name == name).Id;

    private void WriteRun(string name, params IEnumerable<string> more)
    {
        _folder.Write(
            $"{name}/metrics.jsonl",
            string.Join(
                '\n',
                [
                    Sample.Start(),
                    Sample.Step(1, phase: "broad"),
                    Sample.Step(2, "\"NaN\"", "\"Infinity\"", phase: "broad"),
                    Sample.Step(3, phase: "fine"),
                    Sample.Validation(3, "docs", 5.25),
                    Sample.Note(2, "step-skipped", "Step 2 was left out."),
                    .. more,
                ]
            ) + "\n"
        );
        _folder.Write(
            $"{name}/config.yaml",
            $$"""
            name: {{name}}
            model: { layers: 4 }
            optimizer: { lr: 0.00{{name.Length}} }
            parallel: { tensor: 1, pipeline: 2, context: 1, data: 0, order: [pp, dp, cp, tp] }
            data: { sources: [{ name: books, domain: prose, shards: [x] }] }
            phases: [{ name: broad, tokens: 1000, mixture: { books: 1 } }, { name: fine, tokens: 1000, mixture: { books: 1 }, lr: 1e-4 }]
            """
        );
        _folder.Write($"{name}/logs/train-rank0.log", "first line\nRank 0 holds 3.1 MB: parameters 1.0, gradients 0.5, optimizer 1.6.\nlast line\n");
        _folder.Write(
            $"{name}/trace.json",
            """{"displayTimeUnit":"ms","traceEvents":[{"name":"forward b0 m0","cat":"compute","ph":"X","ts":1000,"dur":500,"pid":1,"tid":0},{"name":"thread_name","ph":"M","pid":1,"tid":0,"args":{"name":"compute"}}]}"""
        );
    }

    [Fact]
    public async Task EveryPageShowsWhatTheFilesSay()
    {
        WriteRun("alpha");
        await using var served = await ServedRuns.Of(_folder.FullPath);
        string run = $"/run/{IdOf("alpha")}";
        Assert.Contains(">alpha</a>", await served.Page("/"));
        string overview = await served.Page(run);
        Assert.Contains("data-curve=\"loss\"", overview);
        Assert.Contains("Step 2 was left out.", overview);
        Assert.Contains("last line", await served.Page(run + "/log"));
        string found = await served.Page(run + "/log?q=HOLDS");
        Assert.Contains("Rank 0 holds", found);
        Assert.DoesNotContain("last line", found);
        string events = await served.Page(run + "/events");
        Assert.Contains(">NaN</td>", events);
        Assert.Contains(">infinite</td>", events);
        Assert.Contains("optimizer.lr", await served.Page(run + "/configuration"));
        Assert.Contains("There is no checkpoint", await served.Page(run + "/checkpoints"));
        string timeline = await served.Page(run + "/timeline");
        Assert.Contains("rank 1 compute", timeline);
        Assert.Contains("forward b0 m0: 0.500 ms", timeline);
        string layout = await served.Page(run + "/layout");
        Assert.Contains("Stage 2 of 2", layout);
        Assert.Contains("optimizer: 1.6 MB", layout);
        Assert.Contains("3.1 MB", layout);
        string curriculum = await served.Page(run + "/curriculum");
        Assert.Contains("books 1", curriculum);
        Assert.Contains("lr 1e-4", curriculum);
        Assert.Contains("prose", curriculum);
        Assert.Contains("5.2500", await served.Page(run + "/evaluations"));
        Assert.Contains("measures nothing besides its loss", await served.Page(run + "/alignment"));
    }

    /// <summary>Losses by domain, memory by part and the mixture are curves of a run's page where its records tell them.</summary>
    [Fact]
    public async Task AStepsPartsAreCurves()
    {
        string told = """
            "domain_losses":{"code":2.5,"<b>":"NaN"},"memory_parts":{"optimizer":64},"mixture_fed":{"git":0.25},"mixture_planned":{"git":0.5},"kind
            """;
        WriteRun("alpha", Sample.Step(4, phase: "fine").Replace("\"kind", told, StringComparison.Ordinal));
        await using var served = await ServedRuns.Of(_folder.FullPath);
        string run = $"/run/{IdOf("alpha")}";
        string page = await served.Page(run);
        Assert.Contains("loss/code", page);
        Assert.Contains("data-also=\"memory/optimizer\"", page);
        Assert.Contains("data-curve=\"fed/git\"", page);
        Assert.Contains("data-also=\"planned/git\"", page);
        Assert.DoesNotContain("<b>", page);
        // They are no figures of an alignment.
        Assert.DoesNotContain("data-curve", await served.Page(run + "/alignment"));
    }

    [Fact]
    public async Task ComparedRunsShowWhatDiffers()
    {
        WriteRun("alpha");
        WriteRun("be");
        await using var served = await ServedRuns.Of(_folder.FullPath);
        string page = await served.Page($"/compare?run={IdOf("alpha")}&run={IdOf("be")}&x=tokens&smooth=5&curve=loss&curve=mfu");
        Assert.Contains("0.005", page);
        Assert.Contains("0.002", page);
        Assert.DoesNotContain("model.layers", page);
        Assert.Contains("data-axis=\"tokens\"", page);
        Assert.Contains("data-curve=\"mfu\"", page);
        Assert.Contains("smooth=5", page);
    }

    [Fact]
    public async Task ASweepIsRankedAndLeadsToItsRuns()
    {
        _folder.Write("sw/plan.json", "{}");
        _folder.Write("sw/run-0001/metrics.jsonl", Sample.Run(2));
        _folder.Write(
            "sw/table.json",
            """{"name":"sw","metric":"validation","rows":[{"place":1,"run":"run-0001","status":"finished","step":40,"value":0.7,"values":{"optimizer.lr":"0.01"}},{"place":null,"run":"run-0002","status":"failed","step":0,"value":"NaN","values":{"optimizer.lr":"1"},"sentence":"it failed"}]}"""
        );
        await using var served = await ServedRuns.Of(_folder.FullPath);
        Assert.Contains("ranked", await served.Page("/sweeps"));
        string page = await served.Page($"/sweep/{IdOf("sw")}");
        Assert.Contains($"/run/{IdOf("sw/run-0001")}", page);
        Assert.Contains("it failed", page);
        Assert.Contains("data-scatter=\"[{&quot;x&quot;:&quot;0.01&quot;", page);
    }

    [Fact]
    public async Task WhatIsNotThereIsSaidSo()
    {
        await using var served = await ServedRuns.Of(_folder.FullPath);
        Assert.Contains("No run is here", await served.Page("/"));
        foreach (string page in OfARun)
            Assert.Equal(HttpStatusCode.NotFound, await served.Status($"/run/0123456789abcdef{page}"));
        Assert.Equal(HttpStatusCode.NotFound, await served.Status("/sweep/0123456789abcdef"));
        Assert.Equal(HttpStatusCode.NotFound, await served.Status("/somewhere/else"));
        Assert.Equal(HttpStatusCode.NotFound, await served.Status("/assets/appsettings.json"));
        Assert.Contains("\"runs\":[]", await served.Page("/series?run=nothing&name=loss"));
    }

    [Fact]
    public async Task AssetsHaveTheirBytes()
    {
        await using var served = await ServedRuns.Of(_folder.FullPath);
        Assert.True((await served.Page("/assets/plotly.js")).Length > 1_000_000);
        Assert.Contains("EventSource", await served.Page("/assets/dashboard.js"));
        Assert.Contains("--ground", await served.Page("/assets/dashboard.css"));
    }

    [Fact]
    public async Task ASeriesHasGapsAndNamesWhatIsNotFinite()
    {
        WriteRun("alpha");
        await using var served = await ServedRuns.Of(_folder.FullPath);
        using var series = JsonDocument.Parse(
            await served.Page($"/series?run={IdOf("alpha")}&name=loss&name=gradient_norm&name=validation&name=mfu")
        );
        var run = series.RootElement.GetProperty("runs")[0];
        var loss = run.GetProperty("curves").GetProperty("loss");
        Assert.Equal(JsonValueKind.Null, loss.GetProperty("y")[1].ValueKind);
        Assert.Equal(3, loss.GetProperty("y").GetArrayLength());
        Assert.Equal("NaN", run.GetProperty("odd").GetProperty("loss")[0][2].GetString());
        Assert.Equal("Infinity", run.GetProperty("odd").GetProperty("gradient_norm")[0][2].GetString());
        Assert.Equal(5.25, run.GetProperty("validation").GetProperty("docs")[0][1].GetDouble());
        Assert.Equal(["broad", "fine"], run.GetProperty("phases").EnumerateArray().Select(phase => phase.GetProperty("name").GetString()!));
        Assert.Contains(run.GetProperty("marks").EnumerateArray(), mark => mark.GetProperty("kind").GetString() == "step-skipped");
    }

    [Theory]
    [InlineData("x=tokens&smooth=3&from=1&to=2")]
    [InlineData("x=<script>&smooth=-9999999999&from=abc&to=99999999999999999999")]
    [InlineData("x=hours&smooth=1e9&from=-1&to=-5&run=../../etc&run=%00")]
    [InlineData("from=9223372036854775807&to=9223372036854775807")]
    public async Task OddAddressesBreakNothing(string query)
    {
        WriteRun("alpha");
        await using var served = await ServedRuns.Of(_folder.FullPath);
        await served.Page($"/series?run={IdOf("alpha")}&name=loss&name=%3Cscript%3E&{query}");
        await served.Page($"/compare?run={IdOf("alpha")}&{query}");
        foreach (string page in OfARun)
            await served.Page(
                $"/run/{IdOf("alpha")}{page}?{query}&file=../../../etc/passwd&at=99999999999&start=-5&end=NaN&page=-1&sort=%3Cb%3E&q=%22%3E%3Cscript%3E"
            );
    }

    [Fact]
    public async Task ALiveCurveFollowsTheFileWithinTwoTenthsOfASecond()
    {
        WriteRun("alpha");
        await using var served = await ServedRuns.Of(_folder.FullPath);
        using var stream = new StreamReader(await served.Client.GetStreamAsync($"/live?run={IdOf("alpha")}&name=loss"));
        Assert.Contains("\"step\":3", await Next(stream));
        var delays = new List<double>();
        for (int step = 4; step < 12; step++)
        {
            await Task.Delay(150);
            File.AppendAllText(_folder.In("alpha/metrics.jsonl"), Sample.Step(step) + "\n");
            long written = System.Diagnostics.Stopwatch.GetTimestamp();
            Assert.Contains($"\"step\":{step},", await Next(stream));
            delays.Add(System.Diagnostics.Stopwatch.GetElapsedTime(written).TotalMilliseconds);
        }
        // The median: other work on this machine may hold up one.
        Assert.InRange(delays.Order().ElementAt(delays.Count / 2), 0, 200);

        static async Task<string> Next(StreamReader stream)
        {
            while (true)
                if (await stream.ReadLineAsync() is { } line && line.StartsWith("data: ", StringComparison.Ordinal))
                    return line;
        }
    }
}
