using System.Text.Json;
using Uniscale.Planning.Memory;
using Uniscale.Planning.Plans;
using Uniscale.Programs;

namespace Uniscale.Cli.Planning;

/// <summary>Plans for programs. What is unknown is null.</summary>
internal static class PlanJson
{
    private static readonly JsonSerializerOptions Options = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
    };

    /// <summary>A value as JSON text.</summary>
    public static string Text(object value) => JsonSerializer.Serialize(value, Options);

    /// <summary>A whole plan.</summary>
    public static object Of(RunPlan run, IReadOnlyList<RankMemory> memory)
    {
        var step = run.Main.Step;
        return new
        {
            Cluster = step.Cluster.Name,
            Stack = step.Stack.Name,
            StackSource = step.Stack.Source,
            Layout = Of(step.Spec),
            Step = Of(step),
            Memory = memory.Select(account => new
            {
                account.Rank,
                account.Stage,
                Bytes = account.Parts.ToDictionary(part => part.Name, part => part.Bytes),
                account.KnownBytes,
                Unknown = account.Unknown.ToArray(),
            }),
            Beside = run.Companions is null
                ? null
                : new
                {
                    run.Companions.Updates,
                    run.Companions.Answers,
                    run.Companions.AnswerTokens,
                    run.Companions.PromptTokens,
                    run.Companions.PromptSeconds,
                    run.Companions.DrawingSeconds,
                    run.Companions.ReadingSeconds,
                    run.Companions.CriticSeconds,
                },
            Run = new
            {
                run.Tokens,
                run.Steps,
                run.Seconds,
                Days = run.Seconds / 86_400,
                GpuHours = run.RankHours,
                run.Money,
                run.Saves,
                run.SaveBlockingSeconds,
                run.CheckpointBytes,
                run.ValidationSeconds,
                run.ValidationIsUnknown,
                Segments = run.Segments.Select(segment => new
                {
                    segment.Phase,
                    segment.FromTokens,
                    segment.Tokens,
                    segment.Steps,
                    StepSeconds = segment.Step.Seconds,
                    segment.Seconds,
                }),
            },
        };
    }

    /// <summary>A layout.</summary>
    public static object Of(StepSpecification spec) =>
        new
        {
            Ranks = spec.Mesh.Size,
            spec.Mesh.Tensor,
            Sequence = spec.SequenceParallel,
            spec.Mesh.Pipeline,
            spec.Chunks,
            spec.Schedule,
            spec.Mesh.Context,
            spec.Mesh.Data,
            spec.Microbatches,
            spec.MicrobatchSize,
            spec.ZeroStage,
            spec.ZeroGroup,
            Recompute = spec.Recompute.ToString(),
        };

    /// <summary>A step.</summary>
    public static object Of(PricedStep step) =>
        new
        {
            step.Seconds,
            step.Tokens,
            TokensPerGpuAndSecond = step.TokensPerRank,
            ModelFlopsPerGpu = step.ModelFlopsPerRank,
            step.Mfu,
            step.Hfu,
            PeakFlops = step.Cluster.PeakFor(step.Spec.ActivationBytes),
            PlannedFlops.Formula,
            Bubble = step.Times.BubbleRatio,
            Ranks = step.Times.Classes.Select(times => new
            {
                times.Class.Rank,
                times.Class.Count,
                times.Class.Stage,
                times.Passes.Products,
                times.Passes.Attention,
                times.Passes.Memory,
                times.Passes.Tensor,
                times.Passes.Context,
                times.Passes.Overhead,
                Optimizer = times.Updates,
                times.Reduction,
                times.Gathering,
                times.Waiting,
                times.Rest,
            }),
        };
}
