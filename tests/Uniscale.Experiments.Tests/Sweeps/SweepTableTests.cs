using System.Text.Json;
using System.Xml.Linq;
using Uniscale.Experiments.Sweeps;

namespace Uniscale.Experiments.Tests.Sweeps;

public sealed class SweepTableTests
{
    private static readonly string[] Names = ["1e-3", "3e-3", "1e-2", "a,\"b\"", "2e-3"];
    private static readonly IReadOnlyList<RunCurve> Curves = [Curve(8, 3.0), Curve(8, 2.5), Curve(4, 1.0), Curve(2, 9.0), Curve(2, 4.0)];

    private static readonly SweepPlan Plan = new(
        new SweepConfiguration { Name = "s" },
        "base.yaml",
        "/tmp/s",
        [.. Names.Select((name, index) => new SweepRun(index, [KeyValuePair.Create("optimizer.lr", name)], [], $"/tmp/s/{index}", "", 8))]
    );

    private readonly SweepTable _table = SweepTable.Of(
        Plan,
        Curves,
        [null, null, null, "it was ended by signal 9.", null],
        [new(8, null), new(8, null), new(4, 4), new(8, null), new(2, 2)]
    );

    private static RunCurve Curve(long step, double value) =>
        new([KeyValuePair.Create(1L, 7.0), KeyValuePair.Create(step, value)], totalSteps: 8, hasFinished: step == 8);

    [Fact]
    public void FinishedRunsComeFirstThenWhoCameFurtherThenTheFailed()
    {
        Assert.Equal([1, 0, 2, 4, 3], _table.Rows.Select(row => row.Run.Index));
        Assert.Equal([1, 2, 3, 4, null], _table.Rows.Select(row => row.Place));
        Assert.Equal("it was ended by signal 9.", _table.Rows[^1].Sentence);
    }

    [Fact]
    public void TheCsvQuotesWhatMustBeQuoted()
    {
        string[] lines = _table.ToCsv().Split('\n');
        Assert.Equal("place,run,status,step,validation,optimizer.lr,sentence", lines[0]);
        Assert.Equal("1,run-0002,finished,8,2.5,3e-3,", lines[1]);
        Assert.Equal(",run-0004,failed,2,9,\"a,\"\"b\"\"\",it was ended by signal 9.", lines[5]);
    }

    [Fact]
    public void TheTextIsAlignedAndTellsFailures()
    {
        string[] lines = _table.ToText().Split('\n');
        Assert.Matches(@"^place +run +status +step +validation loss +lr", lines[0]);
        Assert.Equal(lines[0].IndexOf("status", StringComparison.Ordinal), lines[1].IndexOf("finished", StringComparison.Ordinal));
        Assert.Contains("run-0004: it was ended by signal 9.", lines);
    }

    [Fact]
    public void TheJsonHoldsEveryRow()
    {
        using var json = JsonDocument.Parse(_table.ToJson());
        var first = json.RootElement.GetProperty("rows")[0];
        Assert.Equal(
            ("run-0002", 2.5, "3e-3"),
            (
                first.GetProperty("run").GetString(),
                first.GetProperty("value").GetDouble(),
                first.GetProperty("values").GetProperty("optimizer.lr").GetString()
            )
        );
        Assert.Equal(5, json.RootElement.GetProperty("rows").GetArrayLength());
    }

    [Fact]
    public void ThePageDrawsEveryRun()
    {
        string html = new SweepHtml(_table, Curves).ToHtml();
        var drawings = System
            .Text.RegularExpressions.Regex.Matches(html, "<svg.*?</svg>", System.Text.RegularExpressions.RegexOptions.Singleline)
            .Select(match => XElement.Parse(match.Value))
            .ToList();
        Assert.Equal(2, drawings.Count);
        Assert.Equal(5, drawings[0].Elements("path").Count(path => path.Element("title") is not null));
        Assert.Equal(5, drawings[1].Elements("circle").Count());
        // The stopped run's curve ends where it was stopped; the best is drawn last.
        Assert.Contains("run-0002", drawings[0].Elements("path").Last().Element("title")!.Value, StringComparison.Ordinal);
        Assert.Contains("a,&quot;b&quot;", html, StringComparison.Ordinal);
    }
}
