using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration;

/// <summary>
/// Rules that involve several values. Each refusal says which number to change to what. What a layout must satisfy is not here but in
/// Uniscale.Programs
/// (<c>LayoutRules</c>, applied by <c>LayoutGate</c>).
/// </summary>
public static class ConfigurationRules
{
    /// <summary>Checks everything but the layout.</summary>
    /// <exception cref="UserErrorException">The first rule that does not hold, with the place of the value.</exception>
    public static void Check(ResolvedConfiguration resolved)
    {
        foreach (var (path, sentence) in Broken(resolved.Value))
        {
            var origin = resolved.OriginOf(path);
            string place = origin is Loading.Origin.InDefault ? "" : $"{origin.Exact}: ";
            throw new UserErrorException(place + sentence);
        }
    }

    /// <summary>Checks a configuration that was made in code.</summary>
    public static void Check(RunConfiguration configuration)
    {
        foreach (var (_, sentence) in Broken(configuration))
            throw new UserErrorException(sentence);
    }

    private static IEnumerable<(string Path, string Sentence)> Broken(RunConfiguration configuration) =>
        [
            .. ModelRules(configuration.Model),
            .. ObjectiveRules(configuration),
            .. RolloutRules.Broken(configuration),
            .. PositionRules(configuration),
            .. LengthRules(configuration),
            .. ScheduleRules(configuration),
            .. RampRules(configuration),
            .. DataRules(configuration),
            .. FaultRules.Broken(configuration),
            .. BadStepRules(configuration),
            .. EvaluationRules.Broken(configuration),
            .. LoggingRules(configuration.Logging),
        ];

    private static IEnumerable<(string, string)> LoggingRules(LoggingSection logging)
    {
        if (logging.Histograms > 0 && !logging.TensorBoard)
            yield return (
                "logging.histograms",
                $"logging.histograms is {logging.Histograms}, but they are for TensorBoard, and logging.tensor_board is false: set logging.tensor_board to true, or logging.histograms to 0."
            );
    }

    private static IEnumerable<(string, string)> ModelRules(ModelSection model)
    {
        double widest = Math.Max(Math.Max(model.Hidden, model.Ffn), (double)model.Heads * model.HeadWidth);
        if (model.Layers * widest * model.Hidden > Limits.Weights)
            yield return (
                "model.layers",
                $"model.layers {model.Layers} × model.hidden {model.Hidden} × the width of a layer {widest:0} is more than 10^16 weights: lower one of them."
            );
        if (model.Positions == PositionKind.Rope && model.HeadWidth % 2 != 0)
            yield return (
                "model.head_dim",
                $"The width of a head is {model.HeadWidth}, but rotary positions turn pairs: set model.head_dim to {model.HeadWidth + 1}, or model.positions to learned."
            );
        if (model.RopeScaling != RopeScalingKind.None && model.Positions != PositionKind.Rope)
            yield return (
                "model.rope_scaling",
                "model.rope_scaling stretches rotary angles, but model.positions is learned: set model.rope_scaling to none, or model.positions to rope."
            );
        if (model.RopeScaling == RopeScalingKind.None && model.RopeFactor != 1)
            yield return (
                "model.rope_factor",
                $"model.rope_factor is {Quantity.Format(model.RopeFactor)}, but model.rope_scaling is none: set model.rope_scaling, for example to linear or yarn, or take model.rope_factor out."
            );
        if (model.LogNContext > 0 && model.Positions != PositionKind.Rope)
            yield return (
                "model.log_n_context",
                "model.log_n_context scales queries with rotary positions, but model.positions is learned: take it out, or set model.positions to rope."
            );
        if (model.LogNContext == 1)
            yield return ("model.log_n_context", "model.log_n_context is 1, whose logarithm is 0: set it to the trained context, for example to 4096.");
        bool trained = model.RopeScaling is RopeScalingKind.Dynamic or RopeScalingKind.Yarn or RopeScalingKind.Llama3;
        if (!trained && model.RopeTrainedContext != 0)
            yield return (
                "model.rope_trained_context",
                $"model.rope_trained_context is {model.RopeTrainedContext}, which model.rope_scaling {Names.Kebab(model.RopeScaling.ToString())} does not look at: take it out, or set model.rope_scaling to dynamic, yarn or llama3."
            );
        if (model.RopeScaling is RopeScalingKind.Yarn or RopeScalingKind.Llama3 && model.RopeTrainedContext == 0)
            yield return (
                "model.rope_trained_context",
                $"model.rope_scaling is {Names.Kebab(model.RopeScaling.ToString())}, which needs the context before the stretching: set model.rope_trained_context, for example to {Math.Max(1, (int)(model.Context / model.RopeFactor))}."
            );
        if (model.RopeFastTurns <= model.RopeSlowTurns)
            yield return (
                "model.rope_fast_turns",
                $"model.rope_fast_turns {Quantity.Format(model.RopeFastTurns)} must be above model.rope_slow_turns {Quantity.Format(model.RopeSlowTurns)}: set it to 32, and the other to 1."
            );
        if (model.RopeHighFrequency <= model.RopeLowFrequency)
            yield return (
                "model.rope_high_frequency",
                $"model.rope_high_frequency {Quantity.Format(model.RopeHighFrequency)} must be above model.rope_low_frequency {Quantity.Format(model.RopeLowFrequency)}: set it to 4, and the other to 1."
            );
    }

    private static IEnumerable<(string, string)> ObjectiveRules(RunConfiguration configuration)
    {
        var (objective, model) = (configuration.Objective, configuration.Model);
        string name = objective.ToString().ToLowerInvariant();
        if (objective != ObjectiveKind.Pretrain && !model.DocumentMask)
            yield return (
                "model.document_mask",
                $"objective is {name}, whose samples share sequences and must not see each other: set model.document_mask to true."
            );
        if (objective == ObjectiveKind.Reward && model.Head != HeadKind.Score)
            yield return ("model.head", "objective is reward, but model.head gives logits: set model.head to score, or take it out.");
        if (objective != ObjectiveKind.Reward && model.Head == HeadKind.Score)
            yield return (
                "model.head",
                $"model.head gives scores, but objective is {name}: set objective to reward, or model.head to vocabulary."
            );
        if (configuration.Reward.BarrierMargin >= configuration.Reward.BarrierBound)
            yield return (
                "reward.barrier_margin",
                $"reward.barrier_margin {Quantity.Format(configuration.Reward.BarrierMargin)} leaves nothing of reward.barrier_bound {Quantity.Format(configuration.Reward.BarrierBound)}: set it below, for example to 0.001."
            );
    }

    /// <summary>A learned table of positions has a row for each place of the longest sequence.</summary>
    private static IEnumerable<(string, string)> PositionRules(RunConfiguration configuration)
    {
        var model = configuration.Model;
        for (int i = 0; i < configuration.Phases.Count && model.Positions == PositionKind.Learned; i++)
        {
            if (configuration.Phases[i].RopeBase is not null)
                yield return (
                    $"phases[{i}].rope_base",
                    $"phases[{i}].rope_base turns rotary angles, but model.positions is learned: take phases[{i}].rope_base out, or set model.positions to rope."
                );
            if (configuration.Phases[i].Context > model.Context)
                yield return (
                    $"phases[{i}].context",
                    $"phases[{i}].context is {configuration.Phases[i].Context}, but the learned table of positions has model.context = {model.Context} rows: set model.context to {configuration.Phases[i].Context}, or model.positions to rope."
                );
        }
    }

    private static IEnumerable<(string, string)> LengthRules(RunConfiguration configuration)
    {
        var (train, phases) = (configuration.Train, configuration.Phases);
        if (phases.Count == 0 && train is { Steps: 0, Tokens: 0 })
            yield return ("train.steps", "Nothing says how long to train: set train.steps, train.tokens, or phases.");
        if (train is { Steps: > 0, Tokens: > 0 })
            yield return (
                "train.steps",
                $"train.steps ({train.Steps}) and train.tokens ({Quantity.FormatTokens(train.Tokens)}) are both given: take one of them out."
            );
        decimal sum = phases.Sum(phase => (decimal)phase.Tokens);
        if (sum > Limits.Tokens)
            yield return (
                "phases",
                $"The phases add up to more than {Quantity.FormatTokens(Limits.Tokens)} tokens: lower phases[].tokens."
            );
        else if (phases.Count > 0 && train.Tokens > 0 && train.Tokens != sum)
            yield return (
                "train.tokens",
                $"train.tokens is {Quantity.FormatTokens(train.Tokens)}, but the phases add up to {Quantity.FormatTokens((long)sum)}: set train.tokens to 0 (the phases say how long)."
            );
        decimal longest = (decimal)train.Steps * configuration.Batches().Max(each => (decimal)each.Context) * Limits.Sequences;
        if (
            phases.Count == 0
            && longest > long.MaxValue
            && (decimal)train.Steps * configuration.Batch.Global * configuration.Model.Context > Limits.Tokens
        )
            yield return (
                "train.steps",
                $"train.steps {train.Steps} × batch.global {configuration.Batch.Global} × model.context {configuration.Model.Context} is more than {Quantity.FormatTokens(Limits.Tokens)} tokens: lower train.steps."
            );
    }

    /// <summary>Warm-up and decay share a curve: that of the run, and those of the phases that have one of their own.</summary>
    private static IEnumerable<(string, string)> ScheduleRules(RunConfiguration configuration)
    {
        var schedule = configuration.Schedule;
        if (schedule.Kind != ScheduleKind.WarmupStableDecay)
            yield break;
        if (schedule.WarmupRatio + schedule.DecayRatio > 1)
            yield return (
                "schedule.decay_ratio",
                $"schedule.warmup_ratio {schedule.WarmupRatio} + schedule.decay_ratio {schedule.DecayRatio} is more than the whole run: set schedule.decay_ratio to at most {Quantity.Format(Math.Round(1 - schedule.WarmupRatio, 12))}."
            );
        for (int i = 0; i < configuration.Phases.Count; i++)
            if (configuration.Phases[i] is { HasOwnCurve: true, WarmupRatio: { } warmup } && warmup + schedule.DecayRatio > 1)
                yield return (
                    $"phases[{i}].warmup_ratio",
                    $"phases[{i}].warmup_ratio {warmup} + schedule.decay_ratio {schedule.DecayRatio} is more than the whole phase: set phases[{i}].warmup_ratio to at most {Quantity.Format(Math.Round(1 - schedule.DecayRatio, 12))}, or lower schedule.decay_ratio."
                );
    }

    private static IEnumerable<(string, string)> BadStepRules(RunConfiguration configuration)
    {
        var (bad, checkpoint) = (configuration.BadSteps, configuration.Checkpoint);
        if (bad.NotFinite == BadStepAction.Warn)
            yield return (
                "bad_steps.not_finite",
                "bad_steps.not_finite is warn, but an update that is not finite would destroy the weights: set it to skip, rollback or stop."
            );
        string? rolling =
            bad.RollsBack() ? "rollback of bad steps"
            : bad.Corruption == CorruptionAction.Rollback ? "bad_steps.corruption: rollback"
            : null;
        if (rolling is not null && checkpoint.Every == 0)
            yield return (
                "checkpoint.every",
                $"checkpoint.every is 0, so that {rolling} has nothing to go back to: set checkpoint.every, for example to 100."
            );
        if (rolling is not null && checkpoint.SkipWhenBusy)
            yield return (
                "checkpoint.skip_when_busy",
                $"checkpoint.skip_when_busy leaves saves out by chance, and {rolling} would go back by chance: set it to false."
            );
        if (bad.Corruption == CorruptionAction.Rollback && configuration.Train.ChecksumEvery == 0)
            yield return (
                "train.checksum_every",
                "bad_steps.corruption is rollback, but replicas are never compared: set train.checksum_every, for example to 100."
            );
    }

    private static IEnumerable<(string, string)> DataRules(RunConfiguration configuration)
    {
        var data = configuration.Data;
        foreach (var broken in SourceRules(data.Sources, "data.sources").Concat(SourceRules(data.Validation, "data.validation")))
            yield return broken;
        if (
            data.Sources.Count > 0
            && data.Sources.Any(source => source.Weight > 0)
            && data.Sources.FirstOrDefault(source => source.Weight == 0) is { } idle
            && configuration.Phases.Count == 0
        )
            yield return (
                "data.sources",
                $"The source '{idle.Name}' has no weight although others have: give each of data.sources a weight, or none (then size decides)."
            );
        string[] names = configuration.Phases.Select(phase => phase.Name).ToArray();
        for (int i = 0; i < names.Length; i++)
        {
            var phase = configuration.Phases[i];
            if (phase.Name.Length == 0 || Array.IndexOf(names, phase.Name) != i)
                yield return ($"phases[{i}].name", $"phases[{i}].name is '{phase.Name}': give each phase a name of its own.");
            if (phase.Tokens == 0)
                yield return (
                    $"phases[{i}].tokens",
                    $"The phase '{phase.Name}' has no tokens: set phases[{i}].tokens, for example to 10B."
                );
            if (phase.StopAbove is not null && data.Validation.Count == 0)
                yield return (
                    $"phases[{i}].stop_above",
                    $"phases[{i}].stop_above judges phase '{phase.Name}' by validation, but data.validation is empty: name at least one source there."
                );
            foreach (var broken in PhaseNames(data, phase, i))
                yield return broken;
        }
    }

    private static IEnumerable<(string, string)> SourceRules(IReadOnlyList<SourceSection> sources, string path)
    {
        for (int i = 0; i < sources.Count; i++)
        {
            var source = sources[i];
            if (source.Name.Length == 0 || sources.Take(i).Any(other => other.Name == source.Name))
                yield return ($"{path}[{i}].name", $"{path}[{i}].name is '{source.Name}': give each source a name of its own.");
            if (source.Shards.Count == 0 && source.VirtualTokens == 0)
                yield return (
                    $"{path}[{i}].shards",
                    $"The source '{source.Name}' has no shards: set {path}[{i}].shards, or virtual_tokens for planning only."
                );
        }
    }

    private static IEnumerable<(string, string)> PhaseNames(DataSection data, PhaseSection phase, int index)
    {
        string[] drawable = data
            .Sources.SelectMany(source => new[] { source.Name, source.Domain })
            .Where(name => name.Length > 0)
            .Distinct()
            .ToArray();
        foreach (string? name in phase.Mixture.Keys.Except(drawable))
            yield return (
                $"phases[{index}].mixture.{name}",
                $"The mixture of phase '{phase.Name}' names '{name}', which is no source or domain of data.sources{Names.Hint(name, drawable)}"
            );
        string[] judged = data.Validation.Select(source => source.Name).ToArray();
        foreach (string? name in phase.Evaluate.Except(judged))
            yield return (
                $"phases[{index}].evaluate",
                $"Phase '{phase.Name}' evaluates '{name}', which is no source of data.validation{Names.Hint(name, judged)}"
            );
    }

    private static IEnumerable<(string, string)> RampRules(RunConfiguration configuration)
    {
        foreach (var (path, batch, context) in configuration.Batches())
            if (RampProblem(batch, context, $"{path}.ramp") is { } problem)
                yield return ($"{path}.ramp", problem);
    }

    private static string? RampProblem(BatchSection batch, int context, string name)
    {
        try
        {
            BatchRamp.Of(batch, context, name);
            return null;
        }
        catch (UserErrorException error)
        {
            return error.Message;
        }
    }
}
