using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Experiments.Benchmarks;

namespace Uniscale.Cli.Commands;

/// <summary>
/// <c>uniscale benchmark checkpoint</c>: what a save and a load cost on this storage, or, with <c>--layout</c>, what they cost beside the
/// bytes on a number of
/// ranks that need not be here.
/// </summary>
internal static class CheckpointBenchmarkCommand
{
    public static Command Create()
    {
        var command = new Command(
            "checkpoint",
            "Time saving and loading against a plain write of as many bytes to the same storage (more of it: checkpoint bench); with --layout, what they cost beside the bytes on many ranks."
        );
        var rounds = BenchmarkCommand.Rounds(command);
        var directory = new Argument<string>("DIRECTORY")
        {
            Description = "Where checkpoints would be written.",
            DefaultValueFactory = _ => Path.GetTempPath(),
        };
        var size = new Option<int>("--mebibytes") { Description = "Size of the state.", DefaultValueFactory = _ => 512 };
        var layout = new Option<string?>("--layout")
        {
            Description = "Configuration whose layout is measured: its real slices, plan and manifest, without the tensors.",
        };
        var set = new Option<string[]>("--set")
        {
            Description = "Override a value of it: --set parallel.zero.stage=3 (may be given again).",
            HelpName = "key=value",
            DefaultValueFactory = _ => [],
        };
        var ranks = new Option<int?>("--ranks")
        {
            Description = "Ranks of the layout; the replicas follow from it. Default: as many as it names.",
        };
        var save = new Option<bool>("--save")
        {
            Description =
                "Also save and load in DIRECTORY as all these ranks do, eight a host, each a thread of this process; a slice has a few bytes.",
        };
        var json = CommonOptions.Json();
        command.Add(directory);
        foreach (var option in (Option[])[size, layout, set, ranks, save, json])
            command.Add(option);
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(layout) is { } file)
            {
                var (configuration, count) = Layout(file, parsed.GetValue(set)!, parsed.GetValue(ranks));
                string folder = parsed.GetValue(directory)!;
                if (parsed.GetValue(save) && !Directory.Exists(folder))
                    throw new UserErrorException($"There is no folder {folder}: name one where checkpoints would be written.");
                var report = new CheckpointScale(configuration, count).Run() with
                {
                    Save = parsed.GetValue(save) ? new CheckpointAnnouncers(configuration, count, folder).Run() : null,
                };
                var output = parsed.InvocationConfiguration.Output;
                if (parsed.GetValue(json))
                    output.WriteLine(JsonSerializer.Serialize(report, BenchmarkCommand.Format));
                else
                    Print(output, report);
                return;
            }
            if (parsed.GetValue(save))
                throw new UserErrorException("--save is for all ranks of a layout: give --layout CONFIG.yaml too.");
            if (parsed.GetValue(ranks) is not null)
                throw new UserErrorException("--ranks is a number of ranks of a layout: give --layout CONFIG.yaml too.");
            BenchmarkCommand.Tell(
                parsed,
                json,
                CheckpointRates.Measure(
                    parsed.GetValue(directory)!,
                    BenchmarkCommand.AtLeastOne(parsed, size, "mebibytes"),
                    BenchmarkCommand.AtLeastOne(parsed, rounds, "rounds")
                )
            );
        });
        return command;
    }

    private static (RunConfiguration Configuration, int Ranks) Layout(string file, string[] overrides, int? ranks)
    {
        var configuration = ConfigurationLoader.Load(file, overrides).Value;
        int replica = configuration.Parallel.ReplicaRanks;
        int count = ranks ?? replica * Math.Max(1, configuration.Parallel.Data);
        if (count < 1 || count % replica != 0)
            throw new UserErrorException(
                $"--ranks {count} is not a multiple of the {replica} ranks of a replica (tensor × pipeline × context) in {file}: give one, or change parallel with --set."
            );
        return (configuration, count);
    }

    private static void Print(TextWriter output, ScaleReport report)
    {
        output.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"""
                layout            {report.Layout}: {report.Ranks} ranks, {report.StateBytes
                    / 1e12:0.000} TB of state in {report.SliceCount} slices
                told by others    {Bytes(report.GatheredBytes)} on rank 0, when the plan changes; nothing on the others
                plan              {report.PlanSeconds:0.000} s, {Bytes(
                    report.PlanBytes
                )} on rank 0; {report.OwnPlanSeconds:0.000} s on the others
                manifest          {Bytes(report.ManifestBytes)} in {report.ManifestSeconds:0.000} s, written by rank 0
                resume            {report.ReadSeconds:0.000} s and {Bytes(report.KeptBytes)} kept on every rank, {Bytes(
                    report.ReadBytes
                )} beside the tensors read in all
                verify            {report.VerifySeconds:0.000} s beside the tensors
                """
            )
        );
        if (report.Save is not { } saved)
            return;
        output.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"""
                saved             by {saved.Ranks} ranks on {saved.Hosts} hosts in {saved.SaveSeconds:0.00} s
                  of it commit    {saved.CommitSeconds:0.00} s after the last data; {saved.Files} files, {saved.DirectorySyncs} directory syncs
                  before it       {saved.PlanSeconds:0.0} s for the plans of all ranks on these processors
                loaded            by all in {saved.LoadSeconds:0.0} s on these processors
                """
            )
        );
    }

    private static string Bytes(long bytes) =>
        bytes switch
        {
            >= 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.00} GB"),
            >= 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.0} MB"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:0.0} KB"),
        };
}
