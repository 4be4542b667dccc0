using Uniscale.Configuration;
using Uniscale.Planning.Clusters;
using Uniscale.Planning.Memory;
using Uniscale.Planning.Plans;
using Uniscale.Planning.Reports;

namespace Uniscale.Planning.Tests.Plans;

public class RunPlanTests
{
    private static readonly Cluster Selene = ClusterCatalog.Load("a100-80-selene");

    private static RunPlan Plan(RunConfiguration config) =>
        RunPlan.Of(
            config,
            Selene,
            Selene.StackOf(""),
            (changed, batch) => Specs.Of(microbatches: batch) with { Model = Specs.Model with { Context = changed.Model.Context } }
        );

    /// <summary>A run that draws its answers takes longer by reading prompts, drawing, reading by all models, and the critic.</summary>
    [Fact]
    public void Answers_and_a_critic_are_priced_beside_the_steps()
    {
        RunPlan Of(ObjectiveKind objective, int maxTokens = 32) =>
            RunPlan.Of(
                new RunConfiguration
                {
                    Objective = objective,
                    Model = new ModelSection { Context = 64 },
                    Batch = new BatchSection { Global = 8 },
                    Train = new TrainSection { Steps = 10 },
                    Rollout = new RolloutSection
                    {
                        Prompts = 16,
                        MaxTokens = maxTokens,
                        Minibatches = 2,
                    },
                },
                Selene,
                Selene.StackOf(""),
                (changed, batch) => Specs.Of(microbatches: batch) with { Companions = CompanionModels.Of(changed, replicas: 1) }
            );
        var (alone, drawn) = (Of(ObjectiveKind.Pretrain), Of(ObjectiveKind.Ppo));
        Assert.Null(alone.Companions);
        var beside = drawn.Companions!;
        Assert.Equal((2, 16, 32, 32), (beside.Updates, beside.Answers, beside.AnswerTokens, beside.PromptTokens));
        Assert.Equal(alone.Seconds + 10 * beside.PerStep, drawn.Seconds, 1e-9);
        Assert.Equal(alone.Main.Step.Seconds, beside.CriticSeconds, 0.2 * alone.Main.Step.Seconds);
        // Drawing takes a pass of each token: half as many take less than half as long, for keys are fewer.
        Assert.InRange(Of(ObjectiveKind.Ppo, 16).Companions!.DrawingSeconds / beside.DrawingSeconds, 0.4, 0.6);
        Assert.True(drawn.CheckpointBytes > 1.5 * alone.CheckpointBytes);
        var compared = Of(ObjectiveKind.Dpo).Companions!;
        Assert.Equal((0, 0.0, 0.0), (compared.Answers, compared.DrawingSeconds, compared.CriticSeconds));
        Assert.True(compared.ReadingSeconds > 0);
    }

    [Fact]
    public void Each_phase_has_its_own_context_and_ramp()
    {
        var run = Plan(
            new RunConfiguration
            {
                Model = new ModelSection { Context = 64 },
                Batch = new BatchSection { Global = 8 },
                Phases =
                [
                    new PhaseSection
                    {
                        Name = "first",
                        Tokens = 64_000,
                        Batch = new BatchSection
                        {
                            Global = 8,
                            Ramp = new Dictionary<string, string> { ["0"] = "4", ["25600"] = "8" },
                        },
                    },
                    new PhaseSection
                    {
                        Name = "second",
                        Tokens = 12_800,
                        Context = 128,
                    },
                ],
                Checkpoint = new CheckpointSection { Every = 10 },
            }
        );
        Assert.Equal(
            [("first", 0, 25_600), ("first", 25_600, 38_400), ("second", 64_000, 12_800)],
            run.Segments.Select(segment => (segment.Phase, (int)segment.FromTokens, (int)segment.Tokens))
        );
        Assert.Equal([100, 75, 12.5], run.Segments.Select(segment => segment.Steps));
        Assert.Equal(18, run.Saves);
        Assert.True(run.Segments[1].Step.Seconds > run.Segments[0].Step.Seconds);
        Assert.Null(run.Money);
    }

    /// <summary>A phase that the run is resumed with on another layout is priced on that one, the others on the run's.</summary>
    [Fact]
    public void A_phase_may_have_its_own_layout()
    {
        var config = new RunConfiguration
        {
            Model = new ModelSection { Context = 64 },
            Batch = new BatchSection { Global = 8 },
            Phases =
            [
                new PhaseSection { Name = "short", Tokens = 64_000 },
                new PhaseSection
                {
                    Name = "long",
                    Tokens = 12_800,
                    Context = 128,
                },
            ],
        };
        RunPlan With(IReadOnlyDictionary<string, ParallelSection>? layouts) =>
            RunPlan.Of(
                config,
                Selene,
                Selene.StackOf(""),
                (changed, batch) =>
                    Specs.Of(data: 2, microbatches: batch, zero: changed.Parallel.Zero.Stage) with
                    {
                        Model = Specs.Model with { Context = changed.Model.Context },
                    },
                layouts
            );
        var own = With(new Dictionary<string, ParallelSection> { ["long"] = new() { Zero = new ZeroSection { Stage = 3 } } });
        Assert.Equal([0, 3], own.Segments.Select(segment => segment.Step.Spec.Sharding));
        Assert.Equal(With(null).Segments[0].Seconds, own.Segments[0].Seconds);
        Assert.NotEqual(With(null).Segments[1].Seconds, own.Segments[1].Seconds);
        Assert.Contains(
            "the phases are short, long",
            Assert.Throws<UserErrorException>(() => With(new Dictionary<string, ParallelSection> { ["lang"] = new() })).Message
        );
    }

    /// <summary>
    /// Each of 64 000 tokens / (8 · 64) = 125 steps, every 25, two sources of 20 sequences in batches of 8: five pauses of 2 · 3 forward
    /// passes.
    /// </summary>
    [Fact]
    public void Validation_pauses_are_forward_passes_of_the_phases_sources()
    {
        var config = new RunConfiguration
        {
            Model = new ModelSection { Context = 64 },
            Batch = new BatchSection { Global = 8 },
            Train = new TrainSection { Tokens = 64_000 },
            Data = new DataSection { Validation = [new SourceSection { Name = "web" }, new SourceSection { Name = "books" }] },
            Evaluation = new EvaluationSection { Every = 25, Sequences = 20 },
        };
        var run = Plan(config);
        double forward = PricedStep.Of(run.Main.Step.Spec with { ForwardOnly = true }, Selene, Selene.StackOf("")).Seconds;
        Assert.InRange(forward, 0, run.Main.Step.Seconds);
        Assert.Equal(5 * 6 * forward, run.ValidationSeconds!.Value, 1e-9);
        var phased = Plan(
            config with
            {
                Phases =
                [
                    new PhaseSection
                    {
                        Name = "one",
                        Tokens = 64_000,
                        Evaluate = ["books"],
                    },
                ],
            }
        );
        Assert.Equal(run.ValidationSeconds!.Value / 2, phased.ValidationSeconds!.Value, 1e-9);
        var all = Plan(
            config with
            {
                Evaluation = new EvaluationSection { Every = 25, Sequences = 0 },
            }
        );
        Assert.Null(all.ValidationSeconds);
        Assert.True(all.ValidationIsUnknown);
    }

    [Fact]
    public void A_run_without_a_length_is_refused() =>
        Assert.Contains("length of the run is not known", Assert.Throws<UserErrorException>(() => Plan(new RunConfiguration())).Message);

    [Fact]
    public void The_page_needs_nothing_but_itself()
    {
        var run = Plan(new RunConfiguration { Train = new TrainSection { Steps = 10 } });
        var step = run.Main.Step;
        string page = PlanPage.OfPlan(
            "a <name>",
            run,
            [RankMemory.Of(step.Spec, ProgramGenerator.Generate(step.Spec, 0), Selene, step.Stack)]
        );
        Assert.Contains("a &lt;name&gt;", page);
        Assert.Equal(2, page.Split("<svg").Length - 1);
        Assert.Contains("activations kept", page);
        Assert.DoesNotContain("src=", page);
    }
}
