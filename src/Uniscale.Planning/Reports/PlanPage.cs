using System.Net;
using System.Text;
using Uniscale.Planning.Clusters;
using Uniscale.Planning.Failures;
using Uniscale.Planning.Memory;
using Uniscale.Planning.Plans;
using Uniscale.Planning.Search;

namespace Uniscale.Planning.Reports;

/// <summary>Plans as pages that need nothing but themselves.</summary>
public static class PlanPage
{
    private const double Day = 86_400,
        Gibi = 1L << 30;

    /// <summary>A plan: what it rests on, the run, memory and step as pictures and tables.</summary>
    public static string OfPlan(string name, RunPlan run, IReadOnlyList<RankMemory> memory)
    {
        var step = run.Main.Step;
        var text = new StringBuilder();
        text.Append(
            Paragraph(
                $"{step.Spec.Mesh.Size} × {step.Cluster.File.Chip.Name} ({step.Cluster.Name}). Stack {step.Stack.Name}: {step.Stack.Source}."
            )
        );
        text.Append(
            Table(
                ["step", "tokens a GPU and second", "MFU", "HFU", "days", "GPU-hours"],
                [
                    [
                        $"{step.Seconds:N3} s",
                        $"{step.TokensPerRank:N1}",
                        $"{step.Mfu:P1}",
                        $"{step.Hfu:P1}",
                        $"{run.Seconds / Day:N2}",
                        $"{run.RankHours:N0}",
                    ],
                ]
            )
        );
        text.Append(Paragraph($"MFU: {PlannedFlops.Formula}, {step.Cluster.PeakFor(step.Spec.ActivationBytes) / 1e12:N0} TFLOP/s."));
        text.Append(PlanPictures.Memory(memory, step.Cluster.MemoryBytes));
        string[] unknown = memory[0].Unknown.ToArray();
        if (unknown.Length > 0)
            text.Append(Paragraph($"Unknown for this cluster and not in the bars: {string.Join(", ", unknown)}."));
        text.Append(
            Table(
                ["stage", .. memory[0].Parts.Select(part => part.Name)],
                memory.Select(account =>
                    (IReadOnlyList<string>)
                        [$"{account.Stage}", .. account.Parts.Select(part => part.Bytes is { } bytes ? $"{bytes / Gibi:N2}" : "unknown")]
                )
            )
        );
        text.Append(PlanPictures.Step(step));
        text.Append(
            Table(
                ["phase", "tokens", "context", "steps", "s a step", "days"],
                run.Segments.Select(segment =>
                    (IReadOnlyList<string>)
                        [
                            segment.Phase,
                            $"{segment.Tokens / 1e9:N1}B",
                            $"{segment.Step.Spec.Model.Context}",
                            $"{segment.Steps:N0}",
                            $"{segment.Step.Seconds:N3}",
                            $"{segment.Seconds / Day:N2}",
                        ]
                )
            )
        );
        return Page($"Plan of {name}", text.ToString());
    }

    /// <summary>A search: the best layouts, the front as picture and table, and why the others were thrown out.</summary>
    public static string OfSearch(string name, Cluster cluster, SearchResult found)
    {
        var text = new StringBuilder();
        text.Append(
            Paragraph(
                $"{found.Considered:N0} layouts of {found.Best[0].Plan.Spec.Mesh.Size} × {cluster.File.Chip.Name} ({cluster.Name}), {found.Priced.Count:N0} simulated. Stack {found.Best[0].Plan.Stack.Name}: {found.Best[0].Plan.Stack.Source}."
            )
        );
        text.Append(Layouts("Fastest", found.Best));
        if (found.Best.Count > 1)
            text.Append(Paragraph($"The runner-up loses {RunnerUp.Explain(found.Best[0].Plan, found.Best[1].Plan)}."));
        text.Append(PlanPictures.Front(found));
        text.Append(Layouts("None is both faster and smaller", found.Front));
        text.Append(
            Table(
                ["thrown out", "by", "for example"],
                found.Rejections.Select(rejection => (IReadOnlyList<string>)[$"{rejection.Count:N0}", rejection.Reason, rejection.Example])
            )
        );
        return Page($"Layouts of {name}", text.ToString());
    }

    /// <summary>A run with failures: parts and the curve.</summary>
    public static string OfFailures(string name, RunReport report, IReadOnlyList<(double Hours, double Goodput)> points)
    {
        var mean = report.Mean;
        var text = new StringBuilder();
        text.Append(
            Paragraph(
                $"{report.Totals.Count} runs: {mean.Total / Day:N2} days in the mean, goodput {report.Goodput:P2}, {mean.Failures:N0} failures."
            )
        );
        text.Append(
            Table(
                ["useful", "save", "lost work", "detection", "restart", "waiting", "slow"],
                [
                    [
                        .. new[] { mean.Useful, mean.Save, mean.Lost, mean.Detect, mean.Restart, mean.Waiting, mean.Slow }.Select(seconds =>
                            $"{seconds / mean.Total:P2}"
                        ),
                    ],
                ]
            )
        );
        text.Append(PlanPictures.Goodput(points));
        return Page($"Failures of {name}", text.ToString());
    }

    private static string Layouts(string title, IEnumerable<PricedLayout> layouts) =>
        $"<h2>{title}</h2>\n"
        + Table(
            ["s a step", "tokens/GPU/s", "MFU", "known GiB", "layout"],
            layouts.Select(layout =>
                (IReadOnlyList<string>)
                    [
                        $"{layout.Plan.Seconds:N3}",
                        $"{layout.Plan.TokensPerRank:N1}",
                        $"{layout.Plan.Mfu:P1}",
                        $"{layout.Heaviest.KnownBytes / Gibi:N2}",
                        LayoutSearch.Describe(layout.Plan.Spec),
                    ]
            )
        );

    private static string Page(string title, string body) =>
        $$"""
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><title>{{WebUtility.HtmlEncode(title)}}</title>
            <style>body{font-family:sans-serif;max-width:62em;margin:2em auto;padding:0 1em}table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.3em .6em;text-align:right;font-size:90%}svg{max-width:100%;height:auto}</style>
            </head><body><h1>{{WebUtility.HtmlEncode(title)}}</h1>
            {{body}}
            </body></html>

            """.Replace("<?xml version=\"1.0\" encoding=\"utf-8\" ?>", "", StringComparison.Ordinal);

    private static string Paragraph(string text) => $"<p>{WebUtility.HtmlEncode(text)}</p>\n";

    private static string Table(IReadOnlyList<string> heads, IEnumerable<IReadOnlyList<string>> rows)
    {
        var text = new StringBuilder("<table><tr>");
        foreach (string head in heads)
            text.Append("<th>").Append(WebUtility.HtmlEncode(head)).Append("</th>");
        text.Append("</tr>\n");
        foreach (var row in rows)
        {
            text.Append("<tr>");
            foreach (string cell in row)
                text.Append("<td>").Append(WebUtility.HtmlEncode(cell)).Append("</td>");
            text.Append("</tr>\n");
        }
        return text.Append("</table>\n").ToString();
    }
}
