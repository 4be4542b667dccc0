using System.Diagnostics;
using System.Text;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Tests.Pages;

/// <summary>
/// Run folders that want to harm the viewer: nothing of theirs is executed, nothing outside is shown, and the pages live.
/// </summary>
public sealed class HostileRunsTests : IDisposable
{
    private const string Script = "<script>alert(1)</script>",
        Secret = "outside-secret";

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

    private readonly TemporaryFolder _outside = new();
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _folder.Dispose();
        _outside.Dispose();
    }

    [Fact]
    public async Task TextsAreTextsWhereverTheyCome()
    {
        string name = "<img src=x onerror=alert(1)>'\"&";
        string text = Script.Replace("/", "\\/", StringComparison.Ordinal);
        _folder.Write(
            $"{name}/metrics.jsonl",
            string.Join(
                '\n',
                [
                    Sample.Start(),
                    Sample.Step(1, phase: text),
                    Sample.Validation(1, text, 5),
                    Sample.Note(1, text, text),
                    Sample.End(1).Replace("Training is done.", text, StringComparison.Ordinal),
                ]
            ) + "\n"
        );
        _folder.Write(
            $"{name}/config.yaml",
            $"name: \"{Script}\"\n\"{Script}\": \"{Script}\"\nphases: [{{ name: \"{Script}\", tokens: 5, mixture: {{ \"{Script}\": 1 }} }}]\ndata: {{ sources: [{{ name: \"{Script}\" }}] }}\n"
        );
        _folder.Write($"{name}/logs/train-rank0.log", Script + "\u0007\u001b[31m\n");
        _folder.Write(
            $"{name}/trace.json",
            $$$"""{"traceEvents":[{"name":"{{{text}}}","cat":"{{{text}}}","ph":"X","ts":0,"dur":5,"pid":0,"tid":0},{"name":"thread_name","ph":"M","pid":0,"tid":0,"args":{"name":"{{{text}}}"}}]}"""
        );
        _folder.Write(
            $"{name}/launch/events.jsonl",
            $$"""{"time":"2026-11-29T10:00:00+00:00","kind":"{{text}}","attempt":1,"step":0,"message":"{{text}}"}""" + "\n"
        );
        string file = Script.Replace("/", "", StringComparison.Ordinal);
        _folder.Write($"{name}/evaluations/{file}.json", $$"""[{"{{text}}":"{{text}}"}]""");
        _folder.Write($"{name}/evaluation/results_{file}.json", Sample.Results(text));
        _folder.Write($"{name}/evaluation/needle_{file}.csv", $"length,depth,key,answer,found,score\n1,2,{Script},{Script},1,100\n");
        _folder.Write($"{name}/evaluation/samples_{file}.jsonl", $$"""{"id":"{{text}}","question":"{{text}}","resps":["{{text}}"]}""" + "\n");
        _folder.Write($"{name}/alignment/answers-00000001.jsonl", $$"""{"prompt":"{{text}}","answer":"{{text}}","domain":"{{text}}"}""" + "\n");
        _folder.Write($"{name}/fork.yaml", Script);
        _folder.Write($"{name}/checkpoints/step-00000001/manifest.json", $$"""{"configuration_yaml":"name: '{{text}}'"}""");
        _folder.Write($"{name}/checkpoints/step-00000001/damaged.txt", Script);
        _folder.Write($"{file}.json", $$"""{"considered":1,"best":[{"layout":{"tensor":"{{text}}"} }],"rejections":[{"reason":"{{text}}"}]}""");
        _folder.Write(
            $"plans/{file}.json",
            $$$"""{"cluster":"{{{text}}}","step":{"ranks":[{"rank":"{{{text}}}","products":1}]},"run":{"a":1},"memory":[{"bytes":{"{{{text}}}":1}}]}"""
        );
        _folder.Write($"{file}/results.jsonl", $$"""{"case":"{{text}}","layout":"{{text}}","outcome":"failed","problem":"{{text}}"}""" + "\n");
        await using var served = await ServedRuns.Of(_folder.FullPath);
        string id = new RunsFolder(_folder.FullPath).Find().Single().Id;
        string[] others =
        [
            "/",
            "/plans",
            $"/compare?run={id}",
            $"/run/{id}/evaluations?samples={Uri.EscapeDataString($"evaluation/samples_{file}.jsonl")}",
            .. ((string[])[$"{file}.json", $"plans/{file}.json", $"{file}/results.jsonl"]).Select(report => $"/plans?file={Uri.EscapeDataString(report)}"),
        ];
        foreach (string address in OfARun.Select(page => $"/run/{id}{page}").Concat(others))
        {
            string page = await served.Page(address);
            Assert.DoesNotContain("<script>alert", page);
            Assert.DoesNotContain("<img src=x", page);
            Assert.Contains("&lt;", page);
        }
        string series = await served.Page($"/series?run={id}&name=loss&name=validation");
        Assert.DoesNotContain("<script>", series);
    }

    [Fact]
    public async Task NothingOutsideIsShown()
    {
        _outside.Write("secret.txt", Secret);
        _outside.Write("metrics.jsonl", Sample.Note(1, "x", Secret) + "\n");
        _folder.Write("a/metrics.jsonl", Sample.Run(2));
        Directory.CreateDirectory(_folder.In("a/logs"));
        Directory.CreateDirectory(_folder.In("a/evaluations"));
        Directory.CreateDirectory(_folder.In("a/alignment"));
        foreach (
            string link in (string[])
                [
                    "a/config.yaml",
                    "a/logs/train-rank0.log",
                    "a/evaluations/x.json",
                    "a/evaluations/results_x.json",
                    "a/evaluations/needle_x.csv",
                    "a/evaluations/samples_x.jsonl",
                    "a/alignment/answers-00000001.jsonl",
                    "a/trace.json",
                    "a/fork.yaml",
                    "plan.json",
                    "a/results.jsonl",
                ]
        )
            File.CreateSymbolicLink(_folder.In(link), _outside.In("secret.txt"));
        Directory.CreateSymbolicLink(_folder.In("a/checkpoints"), _outside.FullPath);
        Directory.CreateSymbolicLink(_folder.In("b"), _outside.FullPath);
        Directory.CreateDirectory(_folder.In("c"));
        File.CreateSymbolicLink(_folder.In("c/metrics.jsonl"), _outside.In("metrics.jsonl"));
        File.WriteAllText(
            _folder.In("c/config.yaml"),
            $"extends: {_outside.In("secret.txt")}\nname: ${{env:PATH}}\nother: ${{file:{_outside.In("secret.txt")}}}\n"
        );
        await using var served = await ServedRuns.Of(_folder.FullPath);
        foreach (var run in new RunsFolder(_folder.FullPath).Find())
            foreach (string page in OfARun)
            {
                string text = await served.Page(
                    $"/run/{run.Id}{page}?file={Uri.EscapeDataString("../../" + Path.GetFileName(_outside.FullPath) + "/secret.txt")}"
                );
                Assert.DoesNotContain(Secret, text);
                Assert.DoesNotContain(Environment.GetEnvironmentVariable("PATH")!, text);
            }
        foreach (
            string address in (string[])
                ["/run/..%2f..%2fetc%2fpasswd", "/assets/..%2fsecret.txt", "/assets/%2e%2e/secret.txt", "/run/a/../../secret.txt"]
        )
            Assert.DoesNotContain(Secret, await (await served.Client.GetAsync(address)).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task FilesThatAreNoTextBreakNothing()
    {
        var random = new Random(7);
        foreach (
            string file in (string[])
                [
                    "metrics.jsonl",
                    "config.yaml",
                    "identity.json",
                    "fork.yaml",
                    "trace.json",
                    "logs/train-rank0.log",
                    "launch/events.jsonl",
                    "launch/rank-00000.beat",
                    "checkpoints/step-00000001/manifest.json",
                    "checkpoints/step-00000001/COMMITTED",
                    "evaluations/a.json",
                    "evaluation/results_a.json",
                    "evaluation/needle_a.csv",
                    "evaluation/samples_a.jsonl",
                    "alignment/answers-00000001.jsonl",
                    "results.jsonl",
                ]
        )
        {
            byte[] bytes = new byte[random.Next(1, 5_000)];
            random.NextBytes(bytes);
            _folder.Write($"a/{file}", "");
            File.WriteAllBytes(_folder.In($"a/{file}"), bytes);
            Directory.CreateDirectory(_folder.In($"b/{file}"));
        }
        _folder.Write("c/config.yaml", "a: &x [1,1]\nb: &y [*x,*x,*x,*x]\n" + string.Concat(Enumerable.Repeat("[", 20_000)));
        _folder.Write("c/trace.json", "{\"traceEvents\":" + string.Concat(Enumerable.Repeat("[", 100_000)));
        _folder.Write(
            "c/metrics.jsonl",
            "{\"kind\":\"step\",\"step\":-9223372036854775808,\"consumed_tokens\":1e999,\"loss\":-0,\"time\":\"0001-01-01T00:00:00Z\"}\n{\"kind\":\"step\",\"step\":9223372036854775807,\"time\":\"9999-12-31T23:59:59Z\",\"remaining\":1e300}\n"
        );
        await using var served = await ServedRuns.Of(_folder.FullPath);
        var runs = new RunsFolder(_folder.FullPath).Find();
        Assert.Equal(3, runs.Count);
        foreach (var run in runs)
            foreach (string page in OfARun)
            {
                await served.Page($"/run/{run.Id}{page}");
                await served.Page($"/series?run={run.Id}&name=loss&x=hours");
                await served.Page($"/series?run={run.Id}&name=loss&x=tokens");
            }
        await served.Page("/");
        await served.Page("/plans");
        await served.Page("/plans?file=a%2Fresults.jsonl");
    }

    [Fact]
    public async Task ALineOfTenGigabytesCostsNoMemoryAndHoldsNothingUp()
    {
        Directory.CreateDirectory(_folder.In("a"));
        using (var file = File.Create(_folder.In("a/metrics.jsonl")))
        {
            file.Write(Encoding.UTF8.GetBytes(Sample.Run(10)));
            // Zeros that take no room on the disk: one line.
            file.SetLength(10L << 30);
            file.Position = file.Length;
            file.Write(Encoding.UTF8.GetBytes("\n" + Sample.Step(11) + "\n"));
        }
        await using var served = await ServedRuns.Of(_folder.FullPath);
        string id = new RunsFolder(_folder.FullPath).Find().Single().Id;
        long before = Process.GetCurrentProcess().WorkingSet64;
        await served.Page("/");
        var clock = Stopwatch.StartNew();
        string page = await served.Page($"/run/{id}");
        Assert.Contains(">11 of 1,000<", page);
        await served.Page($"/run/{id}/log");
        await served.Page($"/run/{id}/events");
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 5);
        Assert.InRange(Process.GetCurrentProcess().WorkingSet64 - before, long.MinValue, 300L << 20);
    }
}
