using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Catalog;
using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Loading;
using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;
using Uniscale.Experiments.Benchmarks;
using Uniscale.Training.Runs;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale checkpoint list|inspect|verify|prune|diff</c>: what a run has saved, and whether it is good.</summary>
internal static class CheckpointCommand
{
    private static readonly JsonSerializerOptions Format = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
    };

    public static Command Create() =>
        new("checkpoint", "Look at a run's checkpoints, prove them, compare them, and delete those that are not needed.")
        {
            List(),
            Inspect(),
            Verify(),
            Prune(),
            Diff(),
            Bench(),
        };

    private static Argument<string> Run(string name = "RUN") =>
        new(name) { Description = "Folder of a run, its checkpoints directory, or one checkpoint (step-…)." };

    private static Option<long?> Step() => new("--step") { Description = "The checkpoint of this step." };

    private static Command List()
    {
        var (run, json) = (Run(), CommonOptions.Json());
        var command = new Command("list", "List the checkpoints, the newest first. Exits with 1 where one is damaged.") { run, json };
        command.SetAction(parsed =>
        {
            var output = parsed.InvocationConfiguration.Output;
            var entries = CheckpointCatalog.List(CheckpointInput.DirectoryOf(parsed.GetValue(run)!));
            if (parsed.GetValue(json))
                output.WriteLine(JsonSerializer.Serialize(entries.Select(Row), Format));
            else
                PrintList(output, entries);
            return entries.Any(entry => entry.Problem is not null) ? 1 : 0;
        });
        return command;
    }

    private static object Row(CatalogEntry entry) =>
        new
        {
            entry.Folder,
            entry.Step,
            entry.Manifest?.ConsumedTokens,
            entry.Manifest?.SavedAt,
            entry.Manifest?.WorldSize,
            entry.Manifest?.Keep,
            SizeBytes = entry.Manifest?.Files.Sum(file => file.SizeBytes),
            entry.Problem,
        };

    private static void PrintList(TextWriter output, IReadOnlyList<CatalogEntry> entries)
    {
        output.WriteLine($"{"step",10}  {"tokens",16}  {"saved (UTC)",-19}  {"size",10}  {"ranks",5}  state");
        foreach (var (entry, index) in entries.Select((entry, index) => (entry, index)))
        {
            if (entry.Manifest is not { } manifest)
                output.WriteLine($"{entry.Step,10}  {"",16}  {"",-19}  {"",10}  {"",5}  damaged: {entry.Problem}");
            else
                output.WriteLine(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{entry.Step,10}  {manifest.ConsumedTokens,16:N0}  {manifest.SavedAt:yyyy-MM-dd HH:mm:ss}  {Bytes(manifest.Files.Sum(file => file.SizeBytes)),10}  {manifest.WorldSize,5}  {(index == 0 ? "newest" : "good")}{(manifest.Keep ? ", kept for ever" : "")}"
                    )
                );
        }
    }

    private static Command Inspect()
    {
        var (run, step, json) = (Run(), Step(), CommonOptions.Json());
        var parts = new Option<bool>("--parts") { Description = "List the parts of every tensor, with file and place." };
        var command = new Command("inspect", "Show one checkpoint: position, configuration, data, and its tensors.")
        {
            run,
            step,
            parts,
            json,
        };
        command.SetAction(parsed =>
        {
            var output = parsed.InvocationConfiguration.Output;
            var reader = CheckpointInput.Open(parsed.GetValue(run)!, parsed.GetValue(step));
            if (parsed.GetValue(json))
                output.WriteLine(File.ReadAllText(Path.Combine(reader.Folder, CheckpointManifest.FileName)));
            else
                PrintManifest(output, reader, parsed.GetValue(parts));
        });
        return command;
    }

    private static void PrintManifest(TextWriter output, CheckpointReader reader, bool parts)
    {
        var manifest = reader.Manifest;
        output.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"""
                checkpoint     {reader.Folder}
                position       step {manifest.Step}, {manifest.ConsumedTokens:N0} tokens
                saved          {manifest.SavedAt:yyyy-MM-dd HH:mm:ss} UTC by Uniscale {manifest.CodeVersion} on {manifest.WorldSize} ranks (save {manifest.Ordinal} of the run{(
                    manifest.Keep ? ", kept for ever" : ""
                )})
                configuration  {manifest.ConfigurationHash}
                data           {manifest.DataFingerprint}
                format         {manifest.FormatVersion}
                files          {manifest.Files.Count}, {Bytes(manifest.Files.Sum(file => file.SizeBytes))}
                """
            )
        );
        foreach (var (name, value) in manifest.Extra)
            output.WriteLine($"{name,-14} {value}");
        output.WriteLine($"tensors        {manifest.Tensors.Count}");
        int width = manifest.Tensors.Select(tensor => tensor.Name.Length).DefaultIfEmpty(0).Max();
        foreach (var tensor in manifest.Tensors)
        {
            output.WriteLine(
                $"  {tensor.Name.PadRight(width)}  {tensor.Type,-8}  {Show(tensor.Shape),-16}  {Bytes(tensor.SizeBytes),10}"
            );
            if (!parts)
                continue;
            foreach (var (file, start, offset, shape) in reader.PartsOf(tensor))
                output.WriteLine($"  {"",4}{file} from byte {start}: {Show(shape)} at {Show(offset)}");
        }
    }

    private static Command Verify()
    {
        var (run, step) = (Run(), Step());
        var command = new Command(
            "verify",
            "Read every byte of all checkpoints, or of one, and prove its digest. Exits with 1 where anything is not as it was written."
        )
        {
            run,
            step,
        };
        command.SetAction(parsed =>
        {
            var output = parsed.InvocationConfiguration.Output;
            var (path, only) = (parsed.GetValue(run)!, parsed.GetValue(step));
            string[] folders =
                only is not null || CheckpointCatalog.IsCheckpoint(path)
                    ? [CheckpointInput.Find(path, only)]
                    : CheckpointCatalog.List(CheckpointInput.DirectoryOf(path)).Select(entry => entry.Folder).ToArray();
            if (folders.Length == 0)
                throw new UserErrorException($"there is no checkpoint in {CheckpointInput.DirectoryOf(path)}.");
            bool[] verdicts = folders.Select(folder => VerifyOne(output, folder)).ToArray();
            return verdicts.All(good => good) ? 0 : 1;
        });
        return command;
    }

    private static bool VerifyOne(TextWriter output, string folder)
    {
        IReadOnlyList<string> damages;
        long bytes = 0L;
        try
        {
            var reader = CheckpointReader.Open(folder, proveSizes: false);
            bytes = reader.Manifest.Files.Sum(file => file.SizeBytes);
            damages = reader.Verify(Environment.ProcessorCount);
        }
        catch (CheckpointException failure)
        {
            damages = [failure.Message];
        }
        output.WriteLine(damages.Count == 0 ? $"good     {folder}  ({Bytes(bytes)})" : $"DAMAGED  {folder}");
        foreach (string damage in damages)
            output.WriteLine($"         {damage}");
        return damages.Count == 0;
    }

    private static Command Prune()
    {
        var run = Run();
        var keep = new Option<int>("--keep") { Description = "Newest checkpoints that stay.", DefaultValueFactory = _ => 2 };
        var every = new Option<int>("--keep-every") { Description = "Every n-th save stays; 0: none." };
        var dry = new Option<bool>("--dry-run") { Description = "Only say what would go." };
        var command = new Command("prune", "Delete older checkpoints, after proving the newest. Those that are kept for ever stay.")
        {
            run,
            keep,
            every,
            dry,
        };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(keep) < 1)
                throw new UserErrorException("--keep must be at least 1: the newest checkpoint is never pruned.");
            string directory = CheckpointInput.DirectoryOf(parsed.GetValue(run)!);
            var folders = parsed.GetValue(dry)
                ? CheckpointCatalog
                    .Superfluous(directory, parsed.GetValue(keep), parsed.GetValue(every))
                    .Select(entry => entry.Folder)
                    .ToArray()
                : CheckpointInput.Given(() => CheckpointCatalog.Prune(directory, parsed.GetValue(keep), parsed.GetValue(every)));
            foreach (string? folder in folders)
                parsed.InvocationConfiguration.Output.WriteLine($"{(parsed.GetValue(dry) ? "would delete" : "deleted")} {folder}");
            parsed.InvocationConfiguration.Output.WriteLine(
                $"{folders.Count} of {CheckpointCatalog.List(directory).Count + (parsed.GetValue(dry) ? 0 : folders.Count)} checkpoints"
            );
        });
        return command;
    }

    private static Command Diff()
    {
        var (first, second) = (Run("FIRST"), Run("SECOND"));
        var all = new Option<bool>("--all") { Description = "List equal tensors too." };
        var command = new Command(
            "diff",
            "Compare two checkpoints tensor by tensor, whatever layouts wrote them. Exits with 1 where they differ."
        )
        {
            first,
            second,
            all,
        };
        command.SetAction(parsed =>
        {
            var output = parsed.InvocationConfiguration.Output;
            var (a, b) = (CheckpointInput.Open(parsed.GetValue(first)!, null), CheckpointInput.Open(parsed.GetValue(second)!, null));
            output.WriteLine($"first   step {a.Manifest.Step}, {a.Folder}");
            output.WriteLine($"second  step {b.Manifest.Step}, {b.Folder}");
            if (a.Manifest.ConfigurationHash != b.Manifest.ConfigurationHash)
                output.WriteLine($"configurations differ: {a.Manifest.ConfigurationHash} and {b.Manifest.ConfigurationHash}");
            var (equal, total) = (0, 0);
            foreach (var tensor in CheckpointInput.Given(() => CheckpointDiff.Compare(a, b).ToArray()))
            {
                total++;
                equal += tensor.BitEqual ? 1 : 0;
                if (!tensor.BitEqual || parsed.GetValue(all))
                    output.WriteLine($"  {tensor.Name}: {Words(tensor)}");
            }
            output.WriteLine($"{equal} of {total} tensors are bit-equal");
            return equal == total ? 0 : 1;
        });
        return command;
    }

    private static Command Bench()
    {
        var directory = new Argument<string>("DIRECTORY") { Description = "Where checkpoints would be written." };
        var size = new Option<int>("--mebibytes") { Description = "Size of the state.", DefaultValueFactory = _ => 1024 };
        var rounds = new Option<int>("--rounds") { Description = "Measurements.", DefaultValueFactory = _ => 3 };
        var buffered = new Option<bool>("--buffered") { Description = "Write through the page cache." };
        var command = new Command(
            "bench",
            "Measure what a save costs here: time that training is held up, bytes a second to the disk, loading."
        )
        {
            directory,
            size,
            rounds,
            buffered,
        };
        command.SetAction(parsed =>
        {
            var output = parsed.InvocationConfiguration.Output;
            using var world = InProcessWorld.Create(1)[0];
            var options = new CheckpointOptions { Direct = !parsed.GetValue(buffered) };
            output.WriteLine(
                $"{"state",10}  {"plain write",12}  {"blocked",10}  {"of it copy",10}  {"write",12}  {"share",6}  {"read back",12}  {"total",8}  {"load",12}"
            );
            foreach (
                var m in CheckpointBenchmark.Run(
                    parsed.GetValue(directory)!,
                    world,
                    (long)parsed.GetValue(size) << 20,
                    parsed.GetValue(rounds),
                    options
                )
            )
            {
                output.WriteLine(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{Bytes(m.SizeBytes),10}  {Rate(m.PlainWrite),12}  {m.Save.Blocked.TotalSeconds / m.SizeBytes * 1e9,5:0.000} s/GB  {m.Save.Staging.TotalSeconds / m.SizeBytes * 1e9,5:0.000} s/GB  {Rate(m.Save.Writing),12}  {m.PlainWrite / m.Save.Writing,6:0.00}  {Rate(m.Save.ReadBack),12}  {m.Save.Total.TotalSeconds,6:0.00} s  {Rate(m.Load),12}"
                    )
                );
                string Rate(TimeSpan time) =>
                    string.Create(CultureInfo.InvariantCulture, $"{m.SizeBytes / time.TotalSeconds / 1e9:0.00} GB/s");
            }
        });
        return command;
    }

    private static string Words(TensorDifference tensor) =>
        tensor switch
        {
            { Difference: { } difference } => difference,
            { DifferentCount: 0 } => "bit-equal",
            _ => string.Create(
                CultureInfo.InvariantCulture,
                $"{tensor.DifferentCount:N0} elements differ, at most by {tensor.MaxAbsolute:g4} (largest magnitude {tensor.MaxMagnitude:g4})"
            ),
        };

    private static string Show(IEnumerable<long> numbers) => $"[{string.Join(", ", numbers)}]";

    private static string Bytes(long bytes) =>
        bytes switch
        {
            >= 1L << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.00} GiB"),
            >= 1L << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 20):0.0} MiB"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:0.0} KiB"),
        };
}
