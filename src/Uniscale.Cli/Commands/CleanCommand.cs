using System.CommandLine;
using Uniscale.Corpus.Cleaning;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale data clean</c>: documents in, better and fewer documents out, and an account of the difference.</summary>
internal static class CleanCommand
{
    public static Command Create()
    {
        var pipeline = new Argument<string>("PIPELINE")
        {
            Description = "YAML file: input stores, the output store, and the steps with their settings (configs/clean.yaml is one).",
        };
        var workers = new Option<int>("--workers")
        {
            Description = "Threads that clean; the store is the same for any number.",
            DefaultValueFactory = _ => Environment.ProcessorCount,
        };
        var quiet = new Option<bool>("--quiet") { Description = "No line for each shard." };
        var command = new Command(
            "clean",
            "Choose and repair the documents of stores: language, rules, quality, duplicates. One that was stopped goes on where it was."
        )
        {
            pipeline,
            workers,
            quiet,
        };
        command.SetAction(
            (parsed, cancellation) =>
            {
                var console = parsed.InvocationConfiguration.Output;
                var settings = CleaningPipeline.Load(parsed.GetValue(pipeline)!);
                var cleaner = new Cleaner(
                    settings,
                    parsed.GetValue(workers),
                    parsed.GetValue(quiet)
                        ? null
                        : shard =>
                            console.WriteLine(
                                $"stage {shard.Stage} of {shard.Stages}: {shard.Shard}{(shard.IsTakenOver ? " was done before" : "")}"
                            )
                );
                return Task.Run(
                    () =>
                    {
                        var report = cleaner.Run(cancellation);
                        CleaningTable.Write(report, console);
                        console.WriteLine(
                            $"{Path.Combine(settings.Output, "report.html")} shows samples of what was dropped; report.json holds the figures."
                        );
                        return 0;
                    },
                    cancellation
                );
            }
        );
        return command;
    }
}

/// <summary>The report of a cleaning as text.</summary>
internal static class CleaningTable
{
    public static void Write(CleaningReport report, TextWriter console)
    {
        string tokens = report.HasTokens ? $"{"tokens",14}" : "";
        console.WriteLine($"{"rule",-22}{"dropped",12}{"MB",10}{"cut",12}{"MB",10}{"of bytes",10}{tokens}");
        foreach (var step in report.Steps)
        {
            var tally = step.Tally;
            long bytes = tally.Dropped.Bytes + tally.Cut.Bytes;
            console.WriteLine(
                $"{step.Name,-22}{tally.Dropped.Documents,12}{tally.Dropped.Bytes / 1e6,10:0.00}{tally.Cut.Documents,12}{tally.Cut.Bytes / 1e6,10:0.00}{Share(bytes, report.Input.Bytes),10}"
                    + (report.HasTokens ? $"{tally.Dropped.Tokens + tally.Cut.Tokens,14}" : "")
            );
        }
        console.WriteLine();
        string kept = report.HasTokens ? $"{"tokens",14}{"kept",14}" : "";
        console.WriteLine($"{"domain",-22}{"documents",12}{"kept",12}{"MB",10}{"kept",10}{"of bytes",10}{kept}");
        foreach (var domain in report.Domains.Append(new DomainReport("all", report.Input, report.Kept)))
            console.WriteLine(
                $"{domain.Name,-22}{domain.Input.Documents,12}{domain.Kept.Documents,12}{domain.Input.Bytes / 1e6,10:0.00}{domain.Kept.Bytes / 1e6,10:0.00}{Share(domain.Kept.Bytes, domain.Input.Bytes),10}"
                    + (report.HasTokens ? $"{domain.Input.Tokens,14}{domain.Kept.Tokens,14}" : "")
            );
        console.WriteLine();
        console.WriteLine(
            $"languages kept: {string.Join(", ", report.Languages.Select(language => $"{language.Key} {language.Value.Bytes / 1e6:0.00} MB"))}"
        );
        console.WriteLine($"{report.ProcessorSeconds:0.0} s of processor time, {report.MegabytesPerCoreSecond:0.0} MB/s a core");
    }

    private static string Share(long part, long whole) => whole == 0 ? "-" : $"{100.0 * part / whole:0.0}%";
}
