using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Planning.Memory;
using Uniscale.Planning.Plans;
using Uniscale.Programs;

namespace Uniscale.Cli.Planning;

/// <summary>Plans for people.</summary>
internal static class PlanText
{
    private const double Gibi = 1L << 30;

    private const double SecondsPerDay = 86_400;

    /// <summary>Writes a whole plan.</summary>
    public static void Write(TextWriter output, RunPlan run, IReadOnlyList<RankMemory> memory)
    {
        var step = run.Main.Step;
        WriteLayout(output, step);
        WriteMemory(output, step, memory);
        WriteStep(output, step);
        if (run.Companions is { } beside)
            WriteBeside(output, beside, step);
        WriteRun(output, run);
    }

    /// <summary>A layout in one line.</summary>
    public static string Layout(StepSpecification spec)
    {
        var mesh = spec.Mesh;
        string zero = spec.ZeroStage == 0 ? "" : $", ZeRO-{spec.ZeroStage} over {spec.ZeroGroup}";
        string recompute = spec.Recompute == RecomputeKind.None ? "" : $", {spec.Recompute.ToString().ToLowerInvariant()} recomputation";
        return $"tensor {mesh.Tensor}{(spec.SequenceParallel ? " (sequence)" : "")} × pipeline {mesh.Pipeline}{(spec.Chunks > 1 ? $" × {spec.Chunks} chunks" : "")} × context {mesh.Context} × data {mesh.Data}"
            + $", {spec.Schedule}, {spec.Microbatches} microbatches of {spec.MicrobatchSize}{zero}{recompute}";
    }

    /// <summary>Bytes in GiB, or "unknown".</summary>
    public static string Gibibytes(double? bytes) =>
        bytes is { } known ? (known / Gibi).ToString("N2", CultureInfo.InvariantCulture) : "unknown";

    private static void WriteLayout(TextWriter output, PricedStep step)
    {
        output.WriteLine(
            $"Cluster: {step.Cluster.Name}, {step.Spec.Mesh.Size} × {step.Cluster.File.Chip.Name}; stack {step.Stack.Name}: {step.Stack.Source}"
        );
        output.WriteLine($"Layout: {Layout(step.Spec)}");
    }

    private static void WriteMemory(TextWriter output, PricedStep step, IReadOnlyList<RankMemory> memory)
    {
        var heaviest = memory.MaxBy(account => account.KnownBytes)!;
        var shown = new[] { memory[0], heaviest, memory[^1] }.Distinct().ToArray();
        output.WriteLine($"\nMemory of a rank at its peak, GiB ({ParameterCount(step.Spec)} parameters):");
        output.WriteLine($"  {"",-42}" + string.Concat(shown.Select(account => $"{$"stage {account.Stage}",12}")));
        for (int part = 0; part < heaviest.Parts.Count; part++)
        {
            if (shown.All(account => account.Parts[part].Bytes == 0))
                continue;
            output.WriteLine(
                $"  {heaviest.Parts[part].Name,-42}"
                    + string.Concat(shown.Select(account => $"{Gibibytes(account.Parts[part].Bytes),12}"))
            );
        }
        output.WriteLine($"  {"known in all",-42}" + string.Concat(shown.Select(account => $"{Gibibytes(account.KnownBytes),12}")));
        string size = step.Cluster.MemoryBytes is { } there
            ? $"{Gibibytes(heaviest.KnownBytes)} of {Gibibytes(there)} GiB{(heaviest.KnownBytes > there ? ": it does not fit" : "")}"
            : $"{Gibibytes(heaviest.KnownBytes)} GiB; the chip's memory is unknown";
        output.WriteLine(
            $"Heaviest: rank {heaviest.Rank} (stage {heaviest.Stage}), {size}."
                + (heaviest.Unknown.Any() ? $" Unknown for this cluster: {string.Join(", ", heaviest.Unknown)}." : "")
        );
    }

    private static string ParameterCount(StepSpecification spec) =>
        Programs.Memory.ParameterCount.OfModel(spec.Model).ToString("N0", CultureInfo.InvariantCulture);

    private static void WriteStep(TextWriter output, PricedStep step)
    {
        output.WriteLine(
            $"\nStep of {step.Tokens:N0} tokens: {step.Seconds:N3} s, {step.TokensPerRank:N1} tokens a GPU and second, bubble {step.Times.BubbleRatio:P1}"
        );
        output.WriteLine(
            $"  {step.ModelFlopsPerRank / 1e12:N1} TFLOP/s a GPU, MFU {step.Mfu:P1}, HFU {step.Hfu:P1} of {step.Cluster.PeakFor(step.Spec.ActivationBytes) / 1e12:N0} TFLOP/s"
        );
        output.WriteLine($"  ({PlannedFlops.Formula})");
        var classes = step.Times.Classes;
        var slowest = step.Times.Slowest;
        output.WriteLine($"  {classes.Count} kinds of rank; shares of the step:");
        output.WriteLine(
            "              products  attention     memory     tensor    context   overhead  optimizer  reduction  gathering    waiting       rest"
        );
        foreach (var times in new[] { classes[0], slowest, classes[^1] }.Distinct())
        {
            var passes = times.Passes;
            double[] parts =
            [
                passes.Products,
                passes.Attention,
                passes.Memory,
                passes.Tensor,
                passes.Context,
                passes.Overhead,
                times.Updates,
                times.Reduction,
                times.Gathering,
                times.Waiting,
                times.Rest,
            ];
            output.WriteLine($"  rank {times.Class.Rank,-6}" + string.Concat(parts.Select(part => $"{part / step.Seconds,10:P1} ")));
        }
    }

    private static void WriteBeside(TextWriter output, CompanionTimes beside, PricedStep step)
    {
        if (beside.Answers == 0)
        {
            output.WriteLine($"\nBeside each step the reference reads its sequences: {beside.ReadingSeconds:N3} s");
            return;
        }
        double whole = beside.Updates * (step.Seconds + beside.PerStep);
        output.WriteLine(
            $"\nBatch of {beside.Answers:N0} answers in {beside.Updates:N0} updates: {whole:N3} s, at most, for answers of {beside.AnswerTokens:N0} tokens to prompts of {beside.PromptTokens:N0} (what batch.global has room for)"
        );
        output.WriteLine(
            $"  prompts {beside.PromptSeconds:N3} s, drawing {beside.DrawingSeconds:N3} s, reading by all models {beside.ReadingSeconds:N3} s, updates {beside.Updates * step.Seconds:N3} s"
                + (beside.CriticSeconds > 0 ? $", the critic's {beside.Updates * beside.CriticSeconds:N3} s" : "")
        );
    }

    private static void WriteRun(TextWriter output, RunPlan run)
    {
        output.WriteLine("\nRun, without failures:");
        output.WriteLine("  phase                 from tokens       tokens  context    batch      steps   s a step  tokens/GPU/s     days");
        foreach (var segment in run.Segments)
            output.WriteLine(
                $"  {segment.Phase,-18} {Quantity(segment.FromTokens),14} {Quantity(segment.Tokens),12} {segment.Step.Spec.Model.Context,8} {segment.Step.Tokens / segment.Step.Spec.Model.Context,8:0} "
                    + $"{segment.Steps,10:N0} {segment.Step.Seconds,10:N3} {segment.Step.TokensPerRank,13:N1} {segment.Seconds / SecondsPerDay,8:N2}"
            );
        if (run.ValidationSeconds is { } validation)
            output.WriteLine($"  validation {validation / SecondsPerDay:N3} days");
        if (run.ValidationIsUnknown)
            output.WriteLine(
                "  validation takes an unknown time: evaluation.sequences is 0, which is all of shards that a plan does not read"
            );
        output.WriteLine(
            $"  {run.Saves:N0} saves of {run.CheckpointBytes / 1e9:N0} GB, each blocks {(run.SaveBlockingSeconds is { } blocked ? $"{blocked:N2} s" : "for an unknown time (storage.staging_bandwidth)")}"
        );
        string money = run.Money is { } cost ? $"{cost:N0} {run.Main.Step.Cluster.File.Price.Currency}" : "unknown money (price.gpu_hour)";
        output.WriteLine(
            $"  {Quantity(run.Tokens)} tokens in {run.Steps:N0} steps: {run.Seconds / SecondsPerDay:N2} days, {run.RankHours:N0} GPU-hours, {money}"
        );
    }

    private static string Quantity(double tokens) =>
        tokens switch
        {
            >= 1e12 => $"{tokens / 1e12:0.###}T",
            >= 1e9 => $"{tokens / 1e9:0.###}B",
            >= 1e6 => $"{tokens / 1e6:0.###}M",
            _ => $"{tokens:0}",
        };
}
