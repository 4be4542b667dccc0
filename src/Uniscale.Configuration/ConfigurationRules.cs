using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration;

/// <summary>
/// Rules that involve several values. Each refusal says which number to change to what. <see cref="Check(RunConfiguration)"/> needs the configuration alone;
/// <see cref="CheckWorld"/> also the number of ranks.
/// </summary>
public static class ConfigurationRules
{
    private const string Interleaved = "interleaved-1f1b";

    /// <summary>Checks everything that can be checked without the number of ranks.</summary>
    /// <exception cref="UserErrorException">The first rule that does not hold, with the place of the value.</exception>
    public static void Check(ResolvedConfiguration resolved)
    {
        foreach (var (path, sentence) in Broken(resolved.Value))
        {
            var origin = resolved.OriginOf(path);
            var place = origin is Loading.Origin.InDefault ? "" : $"{origin.Exact}: ";
            throw new UserErrorException(place + sentence);
        }
    }

    /// <summary>Checks a configuration that was made in code.</summary>
    public static void Check(RunConfiguration configuration)
    {
        foreach (var (_, sentence) in Broken(configuration))
            throw new UserErrorException(sentence);
    }

    /// <summary>Checks that the layout fits <paramref name="ranks"/> ranks and that the batches divide among its replicas.</summary>
    /// <returns>The number of replicas (data axis).</returns>
    public static int CheckWorld(RunConfiguration configuration, int ranks)
    {
        var parallel = configuration.Parallel;
        var perReplica = parallel.ReplicaRanks;
        var axes = $"tensor {parallel.Tensor} × pipeline {parallel.Pipeline} × context {parallel.Context}";
        if (parallel.Data > 0 && parallel.Data * perReplica != ranks)
            throw new UserErrorException(
                $"The layout data {parallel.Data} × {axes} needs {parallel.Data * perReplica} ranks, but there are {ranks}: "
                + $"start {parallel.Data * perReplica} ranks{(ranks % perReplica == 0 ? $", or set parallel.data to {ranks / perReplica} (or 0)" : "")}.");
        if (ranks is < 1 or > Limits.Ranks)
            throw new UserErrorException($"{ranks} is not a number of ranks: give 1 to {Limits.Ranks}.");
        if (ranks % perReplica != 0)
            throw new UserErrorException(
                $"The layout {axes} needs a multiple of {perReplica} ranks, but there are {ranks}: start {RoundUp(ranks, perReplica)} ranks, or change parallel.tensor, parallel.pipeline or parallel.context.");
        var replicas = ranks / perReplica;
        foreach (var (_, sentence) in ReplicaRules(configuration, replicas))
            throw new UserErrorException(sentence);
        return replicas;
    }

    private static IEnumerable<(string Path, string Sentence)> Broken(RunConfiguration configuration) =>
    [
        .. ModelRules(configuration.Model),
        .. LayoutRules(configuration),
        .. PositionRules(configuration),
        .. LengthRules(configuration),
        .. ScheduleRules(configuration),
        .. RampRules(configuration),
        .. DataRules(configuration),
        .. FaultRules.Broken(configuration.Faults),
        .. BadStepRules(configuration),
        .. configuration.Parallel.Data > 0 ? ReplicaRules(configuration, configuration.Parallel.Data) : [],
    ];

    private static IEnumerable<(string, string)> ModelRules(ModelSection model)
    {
        if ((long)model.Heads * model.HeadWidth > Limits.Width)
            yield return ("model.heads", $"model.heads {model.Heads} × the width of a head {model.HeadWidth} is {(long)model.Heads * model.HeadWidth}, but must be at most {Limits.Width}: lower model.heads or model.head_dim.");
        if (model.HeadDim == 0 && model.Hidden % model.Heads != 0)
            yield return ("model.heads", $"model.heads is {model.Heads}, which does not divide model.hidden ({model.Hidden}): "
                + $"set model.heads to {Divisors(model.Hidden, model.Heads)}, model.hidden to {RoundUp(model.Hidden, model.Heads)}, or give model.head_dim.");
        if (model.Heads % model.KvHeadCount != 0)
            yield return ("model.kv_heads", $"model.kv_heads is {model.KvHeadCount}, which does not divide model.heads ({model.Heads}): set model.kv_heads to {Divisors(model.Heads, model.KvHeadCount)}.");
        if (model.Positions == PositionKind.Rope && model.HeadWidth % 2 != 0)
            yield return ("model.head_dim", $"The width of a head is {model.HeadWidth}, but rotary positions turn pairs: set model.head_dim to {model.HeadWidth + 1}, or model.positions to learned.");
        if (model.RopeScaling != RopeScalingKind.None && model.Positions != PositionKind.Rope)
            yield return ("model.rope_scaling", "model.rope_scaling stretches rotary angles, but model.positions is learned: set model.rope_scaling to none, or model.positions to rope.");
        if (model.RopeScaling == RopeScalingKind.None && model.RopeFactor != 1)
            yield return ("model.rope_factor", $"model.rope_factor is {Quantity.Format(model.RopeFactor)}, but model.rope_scaling is none: set model.rope_scaling to linear or ntk-aware, or take model.rope_factor out.");
    }

    private static IEnumerable<(string, string)> LayoutRules(RunConfiguration configuration)
    {
        var (model, parallel) = (configuration.Model, configuration.Parallel);
        if ((decimal)parallel.Tensor * parallel.Pipeline * parallel.Context * Math.Max(1, parallel.Data) > Limits.Ranks)
        {
            yield return ("parallel.tensor", $"The layout data {parallel.Data} × tensor {parallel.Tensor} × pipeline {parallel.Pipeline} × context {parallel.Context} needs more than {Limits.Ranks} ranks: lower one of them.");
            yield break;
        }
        if (model.Heads % parallel.Tensor != 0)
            yield return ("parallel.tensor", $"parallel.tensor is {parallel.Tensor}, which does not divide model.heads ({model.Heads}): set parallel.tensor to {Divisors(model.Heads, parallel.Tensor)}.");
        if (model.KvHeadCount % parallel.Tensor != 0 && parallel.Tensor % model.KvHeadCount != 0)
            yield return ("parallel.tensor", $"parallel.tensor is {parallel.Tensor}, which neither divides model.kv_heads ({model.KvHeadCount}) nor is a multiple of it: set parallel.tensor to {Divisors(model.KvHeadCount, parallel.Tensor)} or {RoundUp(parallel.Tensor, model.KvHeadCount)}.");
        if (model.FfnWidth % parallel.Tensor != 0)
            yield return ("parallel.tensor", $"parallel.tensor is {parallel.Tensor}, which does not divide the feed-forward width ({model.FfnWidth}): set model.ffn to {RoundUp(model.FfnWidth, parallel.Tensor)}.");
        if (parallel.Sequence && parallel.Tensor == 1)
            yield return ("parallel.sequence", "parallel.sequence splits norms within the tensor group, but parallel.tensor is 1: set parallel.tensor to 2 or more, or parallel.sequence to false.");
        foreach (var broken in ContextRules(configuration).Concat(PipelineRules(model, parallel)))
            yield return broken;
        if (parallel.Order.Order().SequenceEqual(["cp", "dp", "pp", "tp"]) is false)
            yield return ("parallel.order", $"parallel.order is [{string.Join(", ", parallel.Order)}], but must name each of pp, dp, cp and tp once, the slowest first.");
        if (parallel.Recompute != RecomputeKind.EveryKth && parallel.RecomputeEvery != 1)
            yield return ("parallel.recompute_every", $"parallel.recompute_every is {parallel.RecomputeEvery}, but parallel.recompute is not every-kth: set parallel.recompute to every-kth, or take parallel.recompute_every out.");
    }

    private static IEnumerable<(string, string)> ContextRules(RunConfiguration configuration)
    {
        var (model, parallel) = (configuration.Model, configuration.Parallel);
        // Each rank is dealt an early and a late piece of the sequence, so that causal work is even.
        var pieces = parallel.Context == 1 ? 1 : parallel.Context * 2;
        var parts = pieces * (parallel.Sequence ? parallel.Tensor : 1);
        var lengths = configuration.Phases.Select((phase, i) => (path: $"phases[{i}].context", length: phase.Context ?? model.Context))
            .Prepend((path: "model.context", length: model.Context));
        foreach (var (path, length) in lengths)
            if (length % parts != 0)
                yield return (path, $"{path} is {length}, which the layout cannot cut into {parts} equal pieces: set it to {RoundUp(length, parts)}.");
        if (parallel.Context > 1 && parallel.ContextMethod == ContextKind.AllToAll && model.Heads / parallel.Tensor % parallel.Context != 0)
            yield return ("parallel.context", $"parallel.context is {parallel.Context}, which does not divide the {model.Heads / parallel.Tensor} heads of a tensor rank, as all-to-all needs: set parallel.context_method to ring, or parallel.context to {Divisors(model.Heads / parallel.Tensor, parallel.Context)}.");
    }

    /// <summary>A learned table of positions has a row for each place of the longest sequence.</summary>
    private static IEnumerable<(string, string)> PositionRules(RunConfiguration configuration)
    {
        var model = configuration.Model;
        for (var i = 0; i < configuration.Phases.Count && model.Positions == PositionKind.Learned; i++)
        {
            if (configuration.Phases[i].RopeBase is not null)
                yield return ($"phases[{i}].rope_base", $"phases[{i}].rope_base turns rotary angles, but model.positions is learned: take phases[{i}].rope_base out, or set model.positions to rope.");
            if (configuration.Phases[i].Context > model.Context)
                yield return ($"phases[{i}].context", $"phases[{i}].context is {configuration.Phases[i].Context}, but the learned table of positions has model.context = {model.Context} rows: set model.context to {configuration.Phases[i].Context}, or model.positions to rope.");
        }
    }

    private static IEnumerable<(string, string)> PipelineRules(ModelSection model, ParallelSection parallel)
    {
        if (parallel.Chunks > 1 && parallel.Schedule != Interleaved)
            yield return ("parallel.chunks", $"parallel.chunks is {parallel.Chunks}, but only the interleaved schedule has chunks: set parallel.schedule to interleaved-1f1b, or parallel.chunks to 1.");
        if (parallel.Schedule == Interleaved && parallel.Pipeline == 1)
            yield return ("parallel.schedule", "parallel.schedule is interleaved-1f1b, but parallel.pipeline is 1: set parallel.pipeline to 2 or more, or parallel.schedule to 1f1b.");
        if (parallel.Schedule == Interleaved && parallel is { Pipeline: > 1, Chunks: 1 })
            yield return ("parallel.chunks", "parallel.schedule is interleaved-1f1b, but parallel.chunks is 1: set parallel.chunks to 2 or more, or parallel.schedule to 1f1b.");
        var pieces = parallel.Pipeline * parallel.Chunks;
        if (pieces > model.Layers)
            yield return ("parallel.pipeline", $"parallel.pipeline {parallel.Pipeline} × parallel.chunks {parallel.Chunks} cuts the model into {pieces} pieces, but it has {model.Layers} layers: "
                + $"set parallel.pipeline to at most {Math.Max(1, model.Layers / parallel.Chunks)}, or model.layers to {pieces}.");
    }

    private static IEnumerable<(string, string)> LengthRules(RunConfiguration configuration)
    {
        var (train, phases) = (configuration.Train, configuration.Phases);
        if (phases.Count == 0 && train is { Steps: 0, Tokens: 0 })
            yield return ("train.steps", "Nothing says how long to train: set train.steps, train.tokens, or phases.");
        if (train is { Steps: > 0, Tokens: > 0 })
            yield return ("train.steps", $"train.steps ({train.Steps}) and train.tokens ({Quantity.FormatTokens(train.Tokens)}) are both given: take one of them out.");
        var sum = phases.Sum(phase => (decimal)phase.Tokens);
        if (sum > Limits.Tokens)
            yield return ("phases", $"The phases add up to more than {Quantity.FormatTokens(Limits.Tokens)} tokens: lower phases[].tokens.");
        else if (phases.Count > 0 && train.Tokens > 0 && train.Tokens != sum)
            yield return ("train.tokens", $"train.tokens is {Quantity.FormatTokens(train.Tokens)}, but the phases add up to {Quantity.FormatTokens((long)sum)}: set train.tokens to 0 (the phases say how long).");
        var longest = (decimal)train.Steps * Batches(configuration).Max(each => (decimal)each.Context) * Limits.Sequences;
        if (phases.Count == 0 && longest > long.MaxValue && (decimal)train.Steps * configuration.Batch.Global * configuration.Model.Context > Limits.Tokens)
            yield return ("train.steps", $"train.steps {train.Steps} × batch.global {configuration.Batch.Global} × model.context {configuration.Model.Context} is more than {Quantity.FormatTokens(Limits.Tokens)} tokens: lower train.steps.");
    }

    /// <summary>Warm-up and decay share a curve: that of the run, and those of the phases that have one of their own.</summary>
    private static IEnumerable<(string, string)> ScheduleRules(RunConfiguration configuration)
    {
        var schedule = configuration.Schedule;
        if (schedule.Kind != ScheduleKind.WarmupStableDecay)
            yield break;
        if (schedule.WarmupRatio + schedule.DecayRatio > 1)
            yield return ("schedule.decay_ratio", $"schedule.warmup_ratio {schedule.WarmupRatio} + schedule.decay_ratio {schedule.DecayRatio} is more than the whole run: set schedule.decay_ratio to at most {Quantity.Format(Math.Round(1 - schedule.WarmupRatio, 12))}.");
        for (var i = 0; i < configuration.Phases.Count; i++)
            if (configuration.Phases[i] is { HasOwnCurve: true, WarmupRatio: { } warmup } && warmup + schedule.DecayRatio > 1)
                yield return ($"phases[{i}].warmup_ratio", $"phases[{i}].warmup_ratio {warmup} + schedule.decay_ratio {schedule.DecayRatio} is more than the whole phase: set phases[{i}].warmup_ratio to at most {Quantity.Format(Math.Round(1 - schedule.DecayRatio, 12))}, or lower schedule.decay_ratio.");
    }

    private static IEnumerable<(string, string)> BadStepRules(RunConfiguration configuration)
    {
        var (bad, checkpoint) = (configuration.BadSteps, configuration.Checkpoint);
        if (bad.NotFinite == BadStepAction.Warn)
            yield return ("bad_steps.not_finite", "bad_steps.not_finite is warn, but an update that is not finite would destroy the weights: set it to skip, rollback or stop.");
        var rolling = bad.RollsBack() ? "rollback of bad steps" : bad.Corruption == CorruptionAction.Rollback ? "bad_steps.corruption: rollback" : null;
        if (rolling is not null && checkpoint.Every == 0)
            yield return ("checkpoint.every", $"checkpoint.every is 0, so that {rolling} has nothing to go back to: set checkpoint.every, for example to 100.");
        if (rolling is not null && checkpoint.SkipWhenBusy)
            yield return ("checkpoint.skip_when_busy", $"checkpoint.skip_when_busy leaves saves out by chance, and {rolling} would go back by chance: set it to false.");
        if (bad.Corruption == CorruptionAction.Rollback && configuration.Train.ChecksumEvery == 0)
            yield return ("train.checksum_every", "bad_steps.corruption is rollback, but replicas are never compared: set train.checksum_every, for example to 100.");
    }

    private static IEnumerable<(string, string)> DataRules(RunConfiguration configuration)
    {
        var data = configuration.Data;
        foreach (var broken in SourceRules(data.Sources, "data.sources").Concat(SourceRules(data.Validation, "data.validation")))
            yield return broken;
        if (data.Sources.Count > 0 && data.Sources.Any(source => source.Weight > 0) && data.Sources.FirstOrDefault(source => source.Weight == 0) is { } idle && configuration.Phases.Count == 0)
            yield return ("data.sources", $"The source '{idle.Name}' has no weight although others have: give each of data.sources a weight, or none (then size decides).");
        var names = configuration.Phases.Select(phase => phase.Name).ToArray();
        for (var i = 0; i < names.Length; i++)
        {
            var phase = configuration.Phases[i];
            if (phase.Name.Length == 0 || Array.IndexOf(names, phase.Name) != i)
                yield return ($"phases[{i}].name", $"phases[{i}].name is '{phase.Name}': give each phase a name of its own.");
            if (phase.Tokens == 0)
                yield return ($"phases[{i}].tokens", $"The phase '{phase.Name}' has no tokens: set phases[{i}].tokens, for example to 10B.");
            if (phase.StopAbove is not null && data.Validation.Count == 0)
                yield return ($"phases[{i}].stop_above", $"phases[{i}].stop_above judges phase '{phase.Name}' by validation, but data.validation is empty: name at least one source there.");
            foreach (var broken in PhaseNames(data, phase, i))
                yield return broken;
        }
    }

    private static IEnumerable<(string, string)> SourceRules(IReadOnlyList<SourceSection> sources, string path)
    {
        for (var i = 0; i < sources.Count; i++)
        {
            var source = sources[i];
            if (source.Name.Length == 0 || sources.Take(i).Any(other => other.Name == source.Name))
                yield return ($"{path}[{i}].name", $"{path}[{i}].name is '{source.Name}': give each source a name of its own.");
            if (source.Shards.Count == 0 && source.VirtualTokens == 0)
                yield return ($"{path}[{i}].shards", $"The source '{source.Name}' has no shards: set {path}[{i}].shards, or virtual_tokens for planning only.");
        }
    }

    private static IEnumerable<(string, string)> PhaseNames(DataSection data, PhaseSection phase, int index)
    {
        var drawable = data.Sources.SelectMany(source => new[] { source.Name, source.Domain }).Where(name => name.Length > 0).Distinct().ToArray();
        foreach (var name in phase.Mixture.Keys.Except(drawable))
            yield return ($"phases[{index}].mixture.{name}", $"The mixture of phase '{phase.Name}' names '{name}', which is no source or domain of data.sources{Names.Hint(name, drawable)}");
        var judged = data.Validation.Select(source => source.Name).ToArray();
        foreach (var name in phase.Evaluate.Except(judged))
            yield return ($"phases[{index}].evaluate", $"Phase '{phase.Name}' evaluates '{name}', which is no source of data.validation{Names.Hint(name, judged)}");
    }

    private static IEnumerable<(string, string)> ReplicaRules(RunConfiguration configuration, int replicas)
    {
        var group = configuration.Parallel.Zero.Group;
        var sharers = replicas * configuration.Parallel.Context;
        if (group > 0 && sharers % group != 0)
            yield return ("parallel.zero.group", $"parallel.zero.group is {group}, which does not divide the {sharers} replicas (data × context): set it to {Divisors(sharers, group)}, or 0 for all.");
        foreach (var (path, batch, context) in Batches(configuration))
            foreach (var (_, sequences) in BatchRamp.Of(batch, context, $"{path}.ramp"))
            {
                var unit = replicas * Math.Max(1, batch.Micro);
                if (sequences % unit == 0)
                    continue;
                var what = batch.Micro > 0 ? $"{replicas} replicas × {path}.micro {batch.Micro} = {unit}" : $"the {replicas} replicas";
                yield return ($"{path}.global", $"{path}.global is {sequences}, which is no multiple of {what}: set {path}.global to {RoundUp(sequences, unit)}"
                    + $"{(sequences > unit ? $" or {sequences / unit * unit}" : "")}, or change the layout.");
            }
    }

    private static IEnumerable<(string, string)> RampRules(RunConfiguration configuration)
    {
        foreach (var (path, batch, context) in Batches(configuration))
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

    /// <summary>The batch of the run and those of its phases, each with the context length that it has.</summary>
    private static IEnumerable<(string Path, BatchSection Batch, int Context)> Batches(RunConfiguration configuration) =>
        configuration.Phases
            .Select((phase, i) => ($"phases[{i}].batch", phase.Batch ?? configuration.Batch, phase.Context ?? configuration.Model.Context))
            .Prepend(("batch", configuration.Batch, configuration.Model.Context));

    private static int RoundUp(int value, int unit) => (value + unit - 1) / unit * unit;

    /// <summary>The divisors of <paramref name="number"/> on both sides of <paramref name="wanted"/>, in words.</summary>
    private static string Divisors(int number, int wanted)
    {
        var divisors = Enumerable.Range(1, (int)Math.Sqrt(number)).Where(candidate => number % candidate == 0)
            .SelectMany(candidate => (int[])[candidate, number / candidate]).Distinct().Order().ToArray();
        var below = divisors.LastOrDefault(divisor => divisor < wanted);
        var above = divisors.FirstOrDefault(divisor => divisor > wanted);
        return (below, above) switch
        {
            (0, _) => $"{above}",
            (_, 0) => $"{below}",
            _ => $"{below} or {above}",
        };
    }
}
