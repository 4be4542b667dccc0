namespace Uniscale.Configuration;

/// <summary>Rules of rounds of reward model and policy.</summary>
internal static class RoundRules
{
    public static IEnumerable<(string, string)> Broken(RunConfiguration configuration)
    {
        var rounds = configuration.Rounds;
        if (rounds.Count == 0)
            yield break;
        if (!configuration.Objective.DrawsAnswers())
            yield return (
                "rounds.count",
                $"rounds.count is {rounds.Count}, but objective is {configuration.Objective.ToString().ToLowerInvariant()}, which draws no answers: set objective to ppo, or take rounds out."
            );
        if (configuration.Rewards.All(rule => rule.Kind != RewardKind.Model))
            yield return (
                "rewards",
                "rounds train a reward model that no rule of rewards uses: add {kind: model} to rewards, or take rounds out."
            );
        if (rounds.Reward is null && (rounds.Count > 1 || configuration.RewardModel.From is null))
            yield return (
                "rounds.reward",
                "rounds.reward does not say how the reward model is trained: set it to a configuration with objective reward."
            );
        if (rounds.Reward is not null && rounds.Preferences.Count == 0)
            yield return (
                "rounds.preferences",
                "rounds.preferences is empty, so that there is nothing to train a reward model on: name files of comparisons."
            );
        if (configuration.Checkpoint.Directory is not null)
            yield return (
                "checkpoint.directory",
                "checkpoint.directory would be that of every run of the rounds: take it out; checkpoints lie in each run's folder."
            );
        foreach (var broken in SampleRules(configuration).Concat(FastRules(rounds.Fast)))
            yield return broken;
    }

    private static IEnumerable<(string, string)> SampleRules(RunConfiguration configuration)
    {
        var (rounds, samples) = (configuration.Rounds, configuration.Rollout.Samples);
        if (samples.Prompts.Count == 0)
            yield return (
                "rollout.samples.prompts",
                "rounds compare the answers of early and late policies, but rollout.samples.prompts names no prompts: name a file."
            );
        if (samples.Steps.Count > 0)
            yield return (
                "rollout.samples.steps",
                "rollout.samples.steps is given by rounds to each run: take it out, and set rounds.early."
            );
        if (rounds.EarlyOf(configuration) >= configuration.Train.Steps)
            yield return (
                "rounds.early",
                $"rounds.early {rounds.EarlyOf(configuration)} is not before the end of the policy's run, train.steps {configuration.Train.Steps}: lower it, or train longer."
            );
    }

    private static IEnumerable<(string, string)> FastRules(FastPathSection fast)
    {
        for (int i = 0; i < fast.Label.Count; i++)
        {
            if (fast.Label[i].Kind == RewardKind.Model)
                yield return (
                    $"rounds.fast.label[{i}].kind",
                    $"rounds.fast.label[{i}] asks the model whose deceits are to be mended: take another kind."
                );
            foreach (var broken in RolloutRules.RewardRules(fast.Label[i], $"rounds.fast.label[{i}]"))
                yield return broken;
        }
        foreach (var (name, pattern) in fast.Patterns)
            if (RoundPatterns.Always.Contains(name))
                yield return (
                    $"rounds.fast.patterns.{name}",
                    $"rounds.fast.patterns.{name} has the name of a pattern that is always looked for: give it another."
                );
            else if (RewardPattern.ProblemWithin(pattern) is { } problem)
                yield return (
                    $"rounds.fast.patterns.{name}",
                    $"rounds.fast.patterns.{name} is no regular expression ({problem}): correct it."
                );
    }
}
