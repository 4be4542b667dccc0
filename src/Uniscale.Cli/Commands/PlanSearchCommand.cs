using System.CommandLine;
using System.Diagnostics;
using Uniscale.Cli.Planning;
using Uniscale.Configuration;
using Uniscale.Planning.Reports;
using Uniscale.Planning.Search;
using Uniscale.Programs;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale plan search</c>: the fastest layouts for a number of GPUs.</summary>
internal static class PlanSearchCommand
{
    public static Command Create()
    {
        var command = new Command(
            "search",
            "Find the fastest layouts of a configuration on a number of GPUs, and say why the others were thrown out."
        );
        var input = new PlanInput(command);
        var top = new Option<int>("--top") { Description = "Layouts shown.", DefaultValueFactory = _ => 10 };
        var margin = new Option<double>("--margin")
        {
            Description = "Share of the memory that stays free for what the cluster's file does not know.",
            DefaultValueFactory = _ => 0.1,
        };
        var write = new Option<string?>("--write")
        {
            Description = "Write the best layout as a configuration that extends the given one.",
            HelpName = "FILE.yaml",
        };
        var html = new Option<string?>("--html")
        {
            Description = "Write the layouts as a page with a picture of time against memory.",
            HelpName = "FILE.html",
        };
        var json = CommonOptions.Json();
        command.Add(html);
        command.Add(top);
        command.Add(margin);
        command.Add(write);
        command.Add(json);
        command.SetAction(parsed =>
        {
            var config = input.Configuration(parsed);
            var (cluster, stack) = input.Cluster(parsed, config);
            if (parsed.GetValue(write) is { } wanted)
                OutputFile.Check(wanted, "--write");
            if (parsed.GetValue(html) is { } page)
                OutputFile.Check(page, "--html");
            int shown = parsed.GetValue(top);
            if (shown < 1)
                throw new UserErrorException($"--top {shown} is not a number of layouts: give 1 or more.");
            if (parsed.GetValue(margin) is not (>= 0 and < 1))
                throw new UserErrorException($"--margin {parsed.GetValue(margin)} is not a share: give a number from 0 to below 1.");
            int ranks = input.Ranks(parsed) > 0 ? input.Ranks(parsed) : config.Parallel.ReplicaRanks * Math.Max(1, config.Parallel.Data);
            var alone = config with
            {
                Parallel = new ParallelSection { Order = config.Parallel.Order },
                Batch = new BatchSection { Global = 1 },
            };
            var like = PlanInput.SpecOf(config, 1)(alone, 1);
            PlanInput.CheckSize(like with { Mesh = new MeshShape(1, ranks, 1, 1) }, cluster);
            var space = new SearchSpace
            {
                Ranks = ranks,
                GlobalBatch = config.Batch.Global,
                MostTensor = (int)cluster.Needed(cluster.NodeGpus, "node.gpus"),
                Top = shown,
                Margin = parsed.GetValue(margin),
            };
            var clock = Stopwatch.StartNew();
            var found = new LayoutSearch(cluster, stack, space).Run(like);
            var output = parsed.InvocationConfiguration.Output;
            if (parsed.GetValue(write) is { } file)
                File.WriteAllText(file, Configuration(input.File(parsed), file, found.Best[0].Plan.Spec));
            if (parsed.GetValue(html) is { } picture)
                File.WriteAllText(picture, PlanPage.OfSearch(config.Name, cluster, found));
            if (parsed.GetValue(json))
                output.WriteLine(PlanJson.Text(Json(found)));
            else
                Write(output, found, cluster.Name, clock.Elapsed);
            return 0;
        });
        return command;
    }

    private static object Json(SearchResult found) =>
        new
        {
            found.Considered,
            Priced = found.Priced.Count,
            Best = found.Best.Select(Json),
            Front = found.Front.Select(Json),
            found.Rejections,
        };

    private static object Json(PricedLayout layout) =>
        new
        {
            Layout = PlanJson.Of(layout.Plan.Spec),
            layout.Plan.Seconds,
            TokensPerGpuAndSecond = layout.Plan.TokensPerRank,
            layout.Plan.Mfu,
            Bytes = layout.Heaviest.KnownBytes,
            HeaviestRank = layout.Heaviest.Rank,
        };

    private static void Write(TextWriter output, SearchResult found, string cluster, TimeSpan elapsed)
    {
        output.WriteLine(
            $"{found.Considered:N0} layouts on {cluster}, {found.Priced.Count} simulated in {elapsed.TotalSeconds:N1} s; known memory of the heaviest rank in GiB:"
        );
        WriteLayouts(output, found.Best);
        if (found.Best.Count > 1)
            output.WriteLine($"\nThe runner-up loses {RunnerUp.Explain(found.Best[0].Plan, found.Best[1].Plan)}.");
        output.WriteLine("\nFaster or smaller than all others (time against memory):");
        WriteLayouts(output, found.Front);
        output.WriteLine("\nThrown out:");
        foreach (var rejection in found.Rejections)
            output.WriteLine($"  {rejection.Count,7:N0} by {rejection.Reason}; the first {rejection.Example}");
    }

    private static void WriteLayouts(TextWriter output, IReadOnlyList<PricedLayout> layouts)
    {
        output.WriteLine("      s a step  tokens/GPU/s     MFU   memory  layout");
        foreach (var layout in layouts)
            output.WriteLine(
                $"  {layout.Plan.Seconds,12:N3} {layout.Plan.TokensPerRank,13:N1} {layout.Plan.Mfu,7:P1} {PlanText.Gibibytes(layout.Heaviest.KnownBytes),8}  {LayoutSearch.Describe(layout.Plan.Spec)}"
            );
    }

    private static string Configuration(string original, string file, StepSpecification spec)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        string zero = spec.ZeroStage == 0 ? "{ stage: 0 }" : $"{{ stage: {spec.ZeroStage}, group: {spec.ZeroGroup} }}";
        return $"""
            extends: {Path.GetRelativePath(folder, Path.GetFullPath(original))}
            batch:
              micro: {spec.MicrobatchSize}
            parallel:
              tensor: {spec.Mesh.Tensor}
              sequence: {(spec.SequenceParallel ? "true" : "false")}
              pipeline: {spec.Mesh.Pipeline}
              context: {spec.Mesh.Context}
              data: {spec.Mesh.Data}
              schedule: {spec.Schedule}
              chunks: {spec.Chunks}
              recompute: {spec.Recompute.ToString().ToLowerInvariant()}
              zero: {zero}

            """;
    }
}
