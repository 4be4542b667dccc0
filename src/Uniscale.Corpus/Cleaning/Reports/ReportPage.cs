using System.Globalization;
using System.Net;
using System.Text;

namespace Uniscale.Corpus.Cleaning;

/// <summary>The report as one HTML page that needs nothing else.</summary>
internal static class ReportPage
{
    private const string Head = """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Cleaning</title>
        <style>
        body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1d2433; background: #fff }
        h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
        table { border-collapse: collapse; width: 100% }
        th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid #e3e7ef; font-variant-numeric: tabular-nums }
        th:first-child, td:first-child { text-align: left }
        .bar { display: inline-block; height: .7rem; background: #4a78c8; vertical-align: middle }
        details { margin: .4rem 0 } summary { cursor: pointer }
        pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f4f6fa; padding: .6rem; margin: .2rem 0 .8rem; font-size: .85rem }
        .from { color: #66708a; font-size: .85rem }
        </style>
        </head>
        <body>

        """;

    public static string Write(CleaningReport report)
    {
        var page = new StringBuilder(Head);
        page.Append(
            CultureInfo.InvariantCulture,
            $"<h1>Cleaning: {Share(report.Kept.Bytes, report.Input.Bytes)} of {Megabytes(report.Input.Bytes)} MB kept</h1>\n"
        );
        page.Append(
            CultureInfo.InvariantCulture,
            $"<p>{report.Input.Documents:N0} documents came in, {report.Kept.Documents:N0} were kept"
        );
        if (report.HasTokens)
            page.Append(CultureInfo.InvariantCulture, $"; {report.Input.Tokens:N0} tokens came in, {report.Kept.Tokens:N0} were kept");
        page.Append(
            CultureInfo.InvariantCulture,
            $". {report.ProcessorSeconds:0.0} seconds of processor time: {report.MegabytesPerCoreSecond:0.0} MB/s a core.</p>\n"
        );
        Steps(page, report);
        Amounts(page, report);
        Samples(page, report);
        return page.Append("</body>\n</html>\n").ToString();
    }

    private static void Steps(StringBuilder page, CleaningReport report)
    {
        page.Append("<h2>By rule, in order</h2>\n<table><tr><th>rule</th><th>documents dropped</th><th>MB dropped</th>");
        page.Append(report.HasTokens ? "<th>tokens dropped</th>" : "")
            .Append("<th>documents cut</th><th>MB cut away</th><th>of all bytes</th><th></th></tr>\n");
        double widest = Math.Max(1, report.Steps.Max(step => step.Tally.Dropped.Bytes + step.Tally.Cut.Bytes));
        foreach (var step in report.Steps)
        {
            var tally = step.Tally;
            long bytes = tally.Dropped.Bytes + tally.Cut.Bytes;
            page.Append(
                CultureInfo.InvariantCulture,
                $"<tr><td>{Escape(step.Name)}</td><td>{tally.Dropped.Documents:N0}</td><td>{Megabytes(tally.Dropped.Bytes)}</td>"
            );
            if (report.HasTokens)
                page.Append(CultureInfo.InvariantCulture, $"<td>{tally.Dropped.Tokens + tally.Cut.Tokens:N0}</td>");
            page.Append(
                CultureInfo.InvariantCulture,
                $"<td>{tally.Cut.Documents:N0}</td><td>{Megabytes(tally.Cut.Bytes)}</td><td>{Share(bytes, report.Input.Bytes)}</td>"
            );
            page.Append(
                CultureInfo.InvariantCulture,
                $"<td style=\"width:9rem;text-align:left\"><span class=\"bar\" style=\"width:{100 * bytes / widest:0.#}%\"></span></td></tr>\n"
            );
        }
        page.Append("</table>\n");
    }

    private static void Amounts(StringBuilder page, CleaningReport report)
    {
        string tokens = report.HasTokens ? "<th>tokens in</th><th>kept</th>" : "";
        page.Append(
            CultureInfo.InvariantCulture,
            $"<h2>By domain</h2>\n<table><tr><th>domain</th><th>documents in</th><th>kept</th>{tokens}<th>MB in</th><th>kept</th><th>share of bytes kept</th></tr>\n"
        );
        foreach (var domain in report.Domains.Append(new DomainReport("all", report.Input, report.Kept)))
        {
            page.Append(
                CultureInfo.InvariantCulture,
                $"<tr><td>{Escape(domain.Name)}</td><td>{domain.Input.Documents:N0}</td><td>{domain.Kept.Documents:N0}</td>"
            );
            if (report.HasTokens)
                page.Append(CultureInfo.InvariantCulture, $"<td>{domain.Input.Tokens:N0}</td><td>{domain.Kept.Tokens:N0}</td>");
            page.Append(
                CultureInfo.InvariantCulture,
                $"<td>{Megabytes(domain.Input.Bytes)}</td><td>{Megabytes(domain.Kept.Bytes)}</td><td>{Share(domain.Kept.Bytes, domain.Input.Bytes)}</td></tr>\n"
            );
        }
        page.Append("</table>\n<h2>Kept, by language</h2>\n<table><tr><th>language</th><th>documents</th><th>MB</th></tr>\n");
        foreach ((string language, var amount) in report.Languages)
            page.Append(
                CultureInfo.InvariantCulture,
                $"<tr><td>{Escape(language)}</td><td>{amount.Documents:N0}</td><td>{Megabytes(amount.Bytes)}</td></tr>\n"
            );
        page.Append("</table>\n");
    }

    private static void Samples(StringBuilder page, CleaningReport report)
    {
        page.Append("<h2>Samples of what was dropped</h2>\n");
        foreach (var step in report.Steps.Where(step => step.Tally.Samples.Count > 0))
        {
            page.Append(
                CultureInfo.InvariantCulture,
                $"<details><summary>{Escape(step.Name)} ({step.Tally.Dropped.Documents:N0})</summary>\n"
            );
            foreach (var sample in step.Tally.Samples)
            {
                string language = sample.Language is null ? "" : $", {sample.Language}";
                page.Append(
                    CultureInfo.InvariantCulture,
                    $"<div class=\"from\">{Escape(sample.Domain)}: {Escape(sample.Source)}{Escape(language)} ({Escape(sample.Id)})</div>\n<pre>{Escape(sample.Text)}</pre>\n"
                );
            }
            page.Append("</details>\n");
        }
    }

    private static string Escape(string text) => WebUtility.HtmlEncode(text);

    private static string Megabytes(long bytes) => (bytes / 1e6).ToString("N2", CultureInfo.InvariantCulture);

    private static string Share(long part, long whole) =>
        whole == 0 ? "-" : (100.0 * part / whole).ToString("0.0", CultureInfo.InvariantCulture) + "%";
}
