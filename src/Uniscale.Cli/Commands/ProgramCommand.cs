using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Programs;
using Uniscale.Programs.Checking;
using Uniscale.Programs.Memory;
using Uniscale.Programs.Schedules;
using Uniscale.Programs.Timing;
using Uniscale.Programs.Tracing;
using Uniscale.Training.Feeding;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale program</c>: the step program of a layout, checked and drawn, without running anything.</summary>
internal static class ProgramCommand
{
    /// <summary>Groups of all ranks are listed up to this world size; of a larger world those of one rank.</summary>
    private const int ListedWorld = 16;

    private const int ListedLines = 16;

    /// <summary>Speed at which operations are turned into time where the configuration names no peak.</summary>
    private const double AssumedFlops = 1e12;

    public static Command Create()
    {
        var command = new Command(
            "program",
            "Show the step program of a layout: groups, stages, instructions, the checker's verdict, and a picture of the pipeline."
        );
        var configuration = new ConfigurationInput(command);
        var ranks = new Option<int>("--ranks") { Description = "Number of ranks; default: as many as the layout names." };
        var rank = new Option<int?>("--rank") { Description = "Show the whole program of this rank." };
        var trace = new Option<string?>("--trace")
        {
            Description = "Write the predicted timeline as a Chrome trace (opens in Perfetto).",
            HelpName = "FILE.json",
        };
        command.Add(ranks);
        command.Add(rank);
        var measured = new Option<string?>("--measured")
        {
            Description = "Lay a trace that train --trace wrote of this layout beside the prediction.",
            HelpName = "FILE.json",
        };
        command.Add(trace);
        var picture = new Option<string?>("--picture") { Description = "Write the predicted pipeline as an image.", HelpName = "FILE.svg" };
        command.Add(measured);
        command.Add(picture);
        command.SetAction(parsed =>
        {
            var config = configuration.Load(parsed).Value;
            int vocabulary = config.Model.Vocabulary > 0 ? config.Model.Vocabulary : TrainingData.VocabularyOf(config);
            var spec = SpecificationBuilder.Build(config, parsed.GetValue(ranks), vocabulary);
            int shown = parsed.GetValue(rank) ?? 0;
            if (shown < 0 || shown >= spec.Mesh.Size)
                throw new UserErrorException(
                    $"--rank {shown} is not in the world of {spec.Mesh.Size} ranks: choose 0 to {spec.Mesh.Size - 1}."
                );
            if (parsed.GetValue(trace) is { } wanted)
                OutputFile.Check(wanted, "--trace");
            if (parsed.GetValue(picture) is { } drawn)
                OutputFile.Check(drawn, "--picture");
            var output = parsed.InvocationConfiguration.Output;
            WriteMesh(output, spec, shown);
            WriteStages(output, spec);
            WriteProgram(output, spec, shown, whole: parsed.GetValue(rank) is not null);
            double flops = config.Logging.PeakFlops > 0 ? config.Logging.PeakFlops : AssumedFlops;
            var timeline = PipelineTimeline.Simulate(spec, StepCosts.FromOperations(spec, flops));
            WritePicture(output, spec, timeline);
            if (parsed.GetValue(measured) is { } measuredFile)
                WriteMeasured(output, spec, measuredFile);
            WriteMemory(output, spec);
            if (parsed.GetValue(trace) is { } file)
            {
                ChromeTrace.Save(file, timeline);
                output.WriteLine($"Predicted timeline: {file} (at {flops:0.##e+0} FLOP/s a rank; open it in https://ui.perfetto.dev).");
            }
            if (parsed.GetValue(picture) is { } image)
            {
                File.WriteAllText(image, PipelineSvg.Render(timeline, TitleOf(spec, timeline)));
                output.WriteLine($"Picture: {image}.");
            }
            return WriteVerdict(output, spec) ? 0 : 1;
        });
        return command;
    }

    private static void WriteMesh(TextWriter output, StepSpecification spec, int shown)
    {
        var mesh = spec.Mesh;
        output.WriteLine(
            $"Mesh: {mesh.Size} {(mesh.Size == 1 ? "rank" : "ranks")} = {string.Join(" × ", MeshAxis.All.Select(axis => $"{axis.Name} {mesh[axis.Axis]}"))}, "
                + $"slowest to fastest {string.Join(", ", mesh.Order.Select(axis => MeshAxis.Of(axis).Name))}"
        );
        var kinds = new (string Name, Func<RankGroups, IReadOnlyList<int>> Of)[]
        {
            ("tensor", groups => groups.Tensor),
            ("context", groups => groups.Context),
            ("data", groups => groups.Data),
            ("pipeline", groups => groups.Pipeline),
            ("replicas", groups => groups.Replicas),
            ("zero shards", groups => groups.Shards),
            ("zero replicas", groups => groups.ShardReplicas),
        };
        bool all = mesh.Size <= ListedWorld;
        foreach (var (name, of) in kinds)
        {
            if (name.StartsWith("zero", StringComparison.Ordinal) && spec.Sharding == 0)
                continue;
            var groups = (all ? Enumerable.Range(0, mesh.Size) : [shown])
                .Select(rank => ProgramText.Ranks(of(RankGroups.Of(spec, rank))))
                .Distinct();
            output.WriteLine(
                $"  {name,-13} {string.Join("  ", groups.Select(group => $"[{group}]"))}{(all ? "" : $"   (of rank {shown})")}"
            );
        }
    }

    private static void WriteStages(TextWriter output, StepSpecification spec)
    {
        var partition = StagePartition.Of(spec);
        double total = Enumerable.Range(0, spec.Model.BlockCount).Sum(block => BlockCost.ForwardPerToken(spec.Model, block));
        output.WriteLine(
            $"\nStages: {spec.Model.BlockCount} blocks (0 embedding, 1..{spec.Model.Layers} layers, {spec.Model.Head} head), "
                + $"{spec.Microbatches} microbatches of {spec.MicrobatchSize} sequences, schedule {spec.Schedule}"
        );
        for (int stage = 0; stage < spec.Mesh.Pipeline; stage++)
        {
            var ranges = Enumerable.Range(0, spec.Chunks).Select(chunk => $"b{partition.RangeOf(stage, chunk)}");
            double share = partition.BlocksOf(stage).Sum(block => BlockCost.ForwardPerToken(spec.Model, block)) / total;
            output.WriteLine($"  stage {stage,-3} {string.Join(" and ", ranges),-24} {share,6:P1} of the operations");
        }
    }

    private static void WriteProgram(TextWriter output, StepSpecification spec, int rank, bool whole)
    {
        var program = ProgramGenerator.Generate(spec, rank);
        var lines = ProgramText.Lines(program).ToList();
        int listed = whole || lines.Count <= ListedLines ? lines.Count : ListedLines;
        output.WriteLine($"\nProgram of rank {rank}: {program.Instructions.Count} instructions");
        foreach (string? line in lines.Take(listed))
            output.WriteLine($"  {line}");
        if (listed < lines.Count)
            output.WriteLine($"  … {lines.Count - listed} more lines (--rank {rank} shows all)");
    }

    private static void WritePicture(TextWriter output, StepSpecification spec, PipelineTimeline timeline)
    {
        output.WriteLine($"\nPipeline, predicted from operations ({timeline.Ranks.Count} ranks of the first pipeline):");
        Draw(output, timeline);
        output.WriteLine(PipelinePicture.Legend);
        double formula = ScheduleRegistry
            .Find(spec.Schedule)
            .BubbleOf(new PipelineShape(spec.Mesh.Pipeline, spec.Chunks, spec.Microbatches), new PassTimes(1, 1, 1));
        output.WriteLine($"Bubble: {timeline.BubbleRatio:P1} with these stages; {formula:P1} by the formula for equal stages.");
    }

    private static string TitleOf(StepSpecification spec, PipelineTimeline timeline) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{spec.Schedule}: {spec.Mesh.Pipeline} stages, {spec.Microbatches} microbatches, bubble {timeline.BubbleRatio * 100:0.0} %"
        );

    private static void Draw(TextWriter output, PipelineTimeline timeline)
    {
        bool terminal = ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected;
        int width = terminal ? Math.Clamp(Console.WindowWidth, 40, 240) : 120;
        output.WriteLine(PipelinePicture.Render(timeline, width, terminal));
    }

    /// <summary>
    /// The shortest measured step, which others on the machine disturbed least, and its bubble beside what the model predicts from the
    /// times of its own passes.
    /// </summary>
    private static void WriteMeasured(TextWriter output, StepSpecification spec, string file)
    {
        if (!File.Exists(file))
            throw new UserErrorException($"There is no trace {file}: write one with uniscale train CONFIG.yaml --trace {file}.");
        var steps = MeasuredTrace.Steps(file);
        if (steps.Count == 0 || steps[0].Ranks.Count != spec.Mesh.Size)
            throw new UserErrorException($"{file} has no complete step of {spec.Mesh.Size} ranks: trace the layout of this configuration.");
        var shortest = steps.MinBy(step => step.PassesEnd)!;
        var predicted = PipelineTimeline.Simulate(spec, StepCosts.FromMeasured(spec, [shortest]));
        output.WriteLine($"\nMeasured, the shortest of {steps.Count} steps:");
        Draw(output, shortest);
        output.WriteLine(
            $"Bubble: {shortest.BubbleRatio:P1} measured, {predicted.BubbleRatio:P1} predicted from the measured times of passes. "
                + $"Passes of the step: {shortest.PassesEnd * 1e3:N1} ms measured, {predicted.PassesEnd * 1e3:N1} ms predicted."
        );
    }

    private static void WriteMemory(TextWriter output, StepSpecification spec)
    {
        output.WriteLine($"\nMemory of a rank, planned, MiB ({ParameterCount.OfModel(spec.Model):N0} parameters in the model):");
        output.WriteLine("              parameters   gradients   optimizer      beside   transient activations     drawing       total");
        var generator = new ProgramGenerator(spec);
        foreach (int rank in spec.Mesh.GroupOf(0, Axis.Pipeline))
        {
            var plan = MemoryPlan.Of(spec, generator.Generate(rank));
            long[] parts =
            [
                plan.ParameterBytes,
                plan.GradientBytes,
                plan.OptimizerBytes,
                plan.FrozenBytes + plan.CriticBytes,
                plan.TransientBytes,
                plan.ActivationBytes,
                plan.DrawingBytes,
                plan.TotalBytes,
            ];
            output.WriteLine(
                $"  stage {spec.Mesh.CoordinateOf(rank).Pipeline,-4}"
                    + string.Concat(parts.Select(bytes => $"{bytes / (1024.0 * 1024),12:N1}"))
            );
        }
    }

    private static bool WriteVerdict(TextWriter output, StepSpecification spec)
    {
        var clock = Stopwatch.StartNew();
        var verdict = ProgramChecker.Check(spec);
        foreach (var violation in verdict.Violations)
            output.WriteLine($"  refused: {violation}");
        double mebibytes = verdict.PeakActivationBytes[verdict.PeakRank] / (1024.0 * 1024);
        output.WriteLine(
            verdict.Passed
                ? $"\nChecked: {(spec.Mesh.Size == 1 ? "the one rank" : $"all {spec.Mesh.Size} ranks")}, {verdict.InstructionCount:N0} instructions in {clock.Elapsed.TotalSeconds:0.00} s: no deadlock, every microbatch complete. "
                    + $"Activations at most {mebibytes:N1} MiB (rank {verdict.PeakRank})."
                : $"\nRefused: {verdict.Violations.Count} rules are broken."
        );
        return verdict.Passed;
    }
}
