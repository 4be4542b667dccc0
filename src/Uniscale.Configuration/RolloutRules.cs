using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration;

/// <summary>Rules of objectives that learn from answers that the model draws itself.</summary>
internal static class RolloutRules
{
    public static IEnumerable<(string, string)> Broken(RunConfiguration configuration)
    {
        for (int i = 0; i < configuration.Rewards.Count; i++)
            foreach (var broken in RewardRules(configuration.Rewards[i], $"rewards[{i}]"))
                yield return broken;
        foreach (var broken in RoundRules.Broken(configuration))
            yield return broken;
        if (!configuration.Objective.DrawsAnswers())
            yield break;
        foreach (
            var broken in BatchRules(configuration)
                .Concat(EndRules(configuration))
                .Concat(ModelRules(configuration))
                .Concat(TextRules(configuration))
        )
            yield return broken;
    }

    private static IEnumerable<(string, string)> BatchRules(RunConfiguration configuration)
    {
        var (rollout, name) = (configuration.Rollout, configuration.Objective.ToString().ToLowerInvariant());
        if (configuration.Rewards.Count == 0)
            yield return (
                "rewards",
                $"objective is {name}, but nothing says what an answer is rewarded for: set rewards, for example to [{{kind: number}}]."
            );
        if (rollout.Prompts % rollout.Minibatches != 0)
            yield return (
                "rollout.minibatches",
                $"rollout.prompts {rollout.Prompts} cannot be divided into {rollout.Minibatches} minibatches: set rollout.minibatches to a divisor of it."
            );
        if (rollout.MaxTokens >= configuration.Model.Context)
            yield return (
                "rollout.max_tokens",
                $"rollout.max_tokens {rollout.MaxTokens} leaves no room for a prompt in model.context {configuration.Model.Context}: lower it."
            );
        if (configuration.Phases.Count > 0)
            yield return (
                "phases",
                $"objective is {name}, whose data is drawn as the run goes, and phases divide data that is there: take phases out."
            );
        if (configuration.Batch.Ramp.Count > 0)
            yield return ("batch.ramp", $"objective is {name}, whose batch is rollout.prompts: take batch.ramp out.");
        if (configuration.BadSteps.RollsBack())
            yield return (
                "bad_steps",
                $"objective is {name}, and a rollback of bad steps would learn from answers of other weights: set the actions of bad_steps to skip or stop."
            );
    }

    /// <summary>A batch is drawn with the same weights, so a run begins, ends, is saved and judged between batches.</summary>
    private static IEnumerable<(string, string)> EndRules(RunConfiguration configuration)
    {
        int updates = configuration.Rollout.Updates;
        var (train, name) = (configuration.Train, configuration.Objective.ToString().ToLowerInvariant());
        if (train.Tokens > 0)
            yield return (
                "train.tokens",
                $"objective is {name}, whose tokens are drawn as the run goes: set train.steps, a multiple of {updates}, instead of train.tokens."
            );
        foreach (
            var (key, steps) in ((string, long)[])
                [
                    ("train.steps", train.Steps),
                    ("checkpoint.every", configuration.Checkpoint.Every),
                    ("evaluation.every", configuration.Evaluation.Every),
                    ("rounds.early", configuration.Rounds.Early),
                    .. configuration.Rollout.Samples.Steps.Select((step, i) => ($"rollout.samples.steps[{i}]", step)),
                ]
        )
            if (steps % updates != 0)
                yield return (
                    key,
                    $"{key} {steps} lies within a batch of {updates} updates (rollout.minibatches {configuration.Rollout.Minibatches} × rollout.epochs {configuration.Rollout.Epochs}), which is drawn with the same weights: set it to {(steps / updates + 1) * updates}."
                );
    }

    private static IEnumerable<(string, string)> ModelRules(RunConfiguration configuration)
    {
        bool scores = configuration.Rewards.Any(rule => rule.Kind == RewardKind.Model);
        if (scores && configuration.RewardModel.From is null && configuration.Rounds.Count == 0)
            yield return (
                "reward_model.from",
                "rewards has kind model, but reward_model.from names none: set it to a run with objective reward."
            );
        if (!scores && configuration.RewardModel.From is not null)
            yield return (
                "reward_model.from",
                "reward_model.from names a model that no rule of rewards uses: add {kind: model} to rewards, or take reward_model out."
            );
        if (!scores && configuration.RewardModel.HeldOut is not null)
            yield return (
                "reward_model.held_out",
                "reward_model.held_out is compared with the scores that answers are rewarded with, but no rule of rewards uses a model: add {kind: model} to rewards, or take it out."
            );
    }

    /// <summary>Text that is not to be forgotten goes through the same pass as the answers.</summary>
    private static IEnumerable<(string, string)> TextRules(RunConfiguration configuration)
    {
        var ppo = configuration.Ppo;
        if (configuration.Objective != ObjectiveKind.Ppo || (ppo.Ptx == 0 && ppo.PtxSequences == 0))
            yield break;
        if (ppo.PtxSequences == 0)
            yield return (
                "ppo.ptx_sequences",
                $"ppo.ptx is {Quantity.Format(ppo.Ptx)}, but an update has no text: set ppo.ptx_sequences and name a source of plain text in data.sources, or set ppo.ptx to 0."
            );
        else if (ppo.Ptx == 0)
            yield return (
                "ppo.ptx",
                $"ppo.ptx_sequences is {ppo.PtxSequences}, but ppo.ptx gives the text no weight: set it, for example to 0.5."
            );
        if (ppo.PtxSequences >= configuration.Batch.Global)
            yield return (
                "ppo.ptx_sequences",
                $"ppo.ptx_sequences {ppo.PtxSequences} leaves no sequence of batch.global {configuration.Batch.Global} to the answers: lower it, or raise batch.global."
            );
        if (configuration.Rollout.Temperature != 1)
            yield return (
                "rollout.temperature",
                $"rollout.temperature is {Quantity.Format(configuration.Rollout.Temperature)}, at which text would be learned too: set it to 1, or ppo.ptx to 0."
            );
    }

    internal static IEnumerable<(string, string)> RewardRules(RewardRuleSection rule, string path)
    {
        if (rule.Kind != RewardKind.Format && rule.Pattern is not null)
            yield return (
                $"{path}.pattern",
                $"{path}.pattern is for kind format, not for {rule.Kind.ToString().ToLowerInvariant()}: take it out."
            );
        if (rule.Kind != RewardKind.Format)
            yield break;
        if (string.IsNullOrEmpty(rule.Pattern))
            yield return (
                $"{path}.pattern",
                $"{path} rewards a format, but {path}.pattern does not say which: set it to a regular expression, for example \"-?[0-9]+\"."
            );
        else if (RewardPattern.Problem(rule.Pattern) is { } problem)
            yield return ($"{path}.pattern", $"{path}.pattern is no regular expression ({problem}): correct it.");
    }
}
