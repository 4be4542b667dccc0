using Uniscale.Configuration;
using Uniscale.Experiments.Sweeps;

namespace Uniscale.Experiments.Tests.Sweeps;

public sealed class SweepPlanTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-sweep-").FullName;

    public SweepPlanTests() =>
        File.WriteAllText(
            Path.Combine(_folder, "base.yaml"),
            """
            model: { layers: 2, hidden: 64, heads: 4, vocabulary: 512, context: 64 }
            train: { steps: 10 }
            evaluation: { every: 4 }
            """
        );

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private SweepPlan Load(string yaml)
    {
        string path = Path.Combine(_folder, "sweep.yaml");
        File.WriteAllText(path, yaml);
        return SweepPlan.Load(path);
    }

    private static string[] Titles(SweepPlan plan) => [.. plan.Runs.Select(run => run.Title)];

    [Fact]
    public void AGridIsEveryCombination()
    {
        var plan = Load("{ base: base.yaml, metric: training, grid: { optimizer.lr: [1e-3, 3e-3], model.hidden: [32, 64] } }");
        Assert.Equal(
            [
                "optimizer.lr=1e-3 model.hidden=32",
                "optimizer.lr=1e-3 model.hidden=64",
                "optimizer.lr=3e-3 model.hidden=32",
                "optimizer.lr=3e-3 model.hidden=64",
            ],
            Titles(plan)
        );
        Assert.Equal(4, plan.Runs.Select(run => run.Directory).Distinct().Count());
        Assert.Equal(4, plan.Runs.Select(run => run.Hash).Distinct().Count());
    }

    [Fact]
    public void AListIsRunAfterRunWithWhatAllShare()
    {
        var plan = Load("{ base: base.yaml, metric: training, set: { train.steps: 7 }, list: [{ optimizer.lr: 1e-3 }, {}] }");
        Assert.Equal(["optimizer.lr=1e-3", "(base)"], Titles(plan));
        Assert.All(plan.Runs, run => Assert.Equal(7, run.Steps));
    }

    [Fact]
    public void DrawnRunsDependOnSeedAndPlaceAlone()
    {
        const string yaml =
            "base: base.yaml\nmetric: training\nrandom: { runs: RUNS, seed: SEED, values: { optimizer.lr: { log: [1e-4, 1e-2] }, model.layers: { integer: [1, 4] } } }\n";
        string[] Drawn(string runs, string seed) =>
            Titles(Load(yaml.Replace("RUNS", runs, StringComparison.Ordinal).Replace("SEED", seed, StringComparison.Ordinal)));
        Assert.Equal(Drawn("20", "3")[..5], Drawn("5", "3"));
        Assert.NotEqual(Drawn("5", "4"), Drawn("5", "3"));
    }

    [Fact]
    public void DrawnValuesFillTheirRange()
    {
        double[] Draw(DistributionSection section) =>
            [
                .. Enumerable
                    .Range(0, 2000)
                    .Select(run =>
                        double.Parse(Distribution.Draw(section, "key", seed: 1, run), System.Globalization.CultureInfo.InvariantCulture)
                    ),
            ];
        double[] log = Draw(new DistributionSection { Log = [1e-4, 1e-2] });
        Assert.All(log, value => Assert.InRange(value, 1e-4, 1e-2));
        Assert.InRange(log.Count(value => value < 1e-3), 920, 1080);
        Assert.InRange(Draw(new DistributionSection { Uniform = [2, 4] }).Average(), 2.95, 3.05);
        Assert.Equal([1, 2, 3], Draw(new DistributionSection { Integer = [1, 3] }).Distinct().Order());
        Assert.InRange(Draw(new DistributionSection { Choice = ["1", "2"] }).Count(value => value == 1), 920, 1080);
    }

    [Fact]
    public void ADrawnCombinationThatCannotBeIsARowNotTheEnd()
    {
        var plan = Load("{ base: base.yaml, metric: training, random: { runs: 8, values: { model.heads: { choice: [4, 5] } } } }");
        Assert.All(plan.Runs, run => Assert.Equal(run.Values[0].Value == "5", run.Refusal is not null));
        Assert.Equal(2, plan.Runs.Select(run => run.Refusal is null).Distinct().Count());
    }

    [Theory]
    [InlineData("{ bse: base.yaml }", "sweep.yaml:1:3: the sweep has no key 'bse'; did you mean 'base'?")]
    [InlineData("{ name: x }", "base is not given: name the configuration")]
    [InlineData("{ base: gone.yaml, list: [{}] }", "which does not exist; the path is relative to this file")]
    [InlineData("{ base: base.yaml }", "give exactly one of grid, random and list")]
    [InlineData("{ base: base.yaml, list: [{}], grid: { optimizer.lr: [1] } }", "give exactly one of grid, random and list")]
    [InlineData(
        "{ base: base.yaml, metric: training, grid: { optimizer.rl: [1] } }",
        "run-0001 (optimizer.rl=1) cannot be: --set optimizer.rl=1: optimizer has no key 'rl'; did you mean 'lr'?"
    )]
    [InlineData(
        "{ base: base.yaml, grid: { a: [1,2,3,4,5,6,7,8,9], b: [1,2,3,4,5,6,7,8,9], c: [1,2,3,4,5,6,7,8,9], d: [1,2,3,4,5,6,7,8,9], e: [1,2,3,4,5,6,7,8,9], f: [1,2,3,4,5,6,7,8,9] } }",
        "the grid has more than 100000 runs: give fewer values, or draw some with random."
    )]
    [InlineData(
        "{ base: base.yaml, metric: training, stop: { rule: halving, after: 100000 }, grid: { optimizer.lr: [1, 2] } }",
        "stop.after is 100000, but the runs end at step "
    )]
    [InlineData("{ base: base.yaml, metric: training, grid: { model.heads: [4, 5] } }", "run-0002 (model.heads=5) cannot be:")]
    [InlineData("{ base: base.yaml, grid: { optimizer.lr: [] } }", "grid.optimizer.lr has no values")]
    [InlineData("{ base: base.yaml, list: [{ run_directory: x }] }", "run_directory is given by the sweep to every run; take it out.")]
    [InlineData("{ base: base.yaml, list: [{}] }", "runs are ranked by validation, but data.validation names no sources")]
    [InlineData(
        "{ base: base.yaml, ranks: 2, metric: training, set: { parallel.tensor: 4 }, list: [{}] }",
        "needs a multiple of 4 ranks, but there are 2"
    )]
    [InlineData(
        "{ base: base.yaml, random: { values: { optimizer.lr: { log: [1e-2, 1e-4] } } } }",
        "log of optimizer.lr is [0.01, 0.0001], but must be a lower and a higher bound"
    )]
    [InlineData("{ base: base.yaml, random: { values: { optimizer.lr: { log: [0, 1] } } } }", "lowest value must be above 0, not 0.")]
    [InlineData(
        "{ base: base.yaml, random: { values: { optimizer.lr: { log: [1, 2], choice: [3] } } } }",
        "optimizer.lr needs exactly one of log, uniform, integer and choice"
    )]
    [InlineData(
        "{ base: base.yaml, random: { values: { optimizer.lr: { lgo: [1, 2] } } } }",
        "random.values.optimizer.lr has no key 'lgo'; did you mean 'log'?"
    )]
    [InlineData(
        "{ base: base.yaml, stop: { rule: medain } }",
        "stop.rule is 'medain', but must be one of none, median, halving (did you mean 'median'?)"
    )]
    [InlineData(
        "{ base: base.yaml, set: { data.validation: '[{ name: v, shards: [s] }]' }, stop: { rule: halving, after: 6 }, list: [{}] }",
        "stop.after is 6, but the runs validate every 4 steps: set evaluation.every to a divisor of it"
    )]
    public void AMistakeIsOneSentence(string yaml, string sentence) =>
        Assert.Contains(sentence, Assert.Throws<UserErrorException>(() => Load(yaml)).Message, StringComparison.Ordinal);
}
