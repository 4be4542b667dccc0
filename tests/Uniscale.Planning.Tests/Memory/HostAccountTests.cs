using Uniscale.Planning.Memory;

namespace Uniscale.Planning.Tests.Memory;

public class HostAccountTests
{
    private static HostAccount Of(StepSpecification spec, bool savesBehind = false, bool threads = true) =>
        new(spec, HostAccount.Uncalibrated, savesBehind, threads);

    [Fact]
    public void A_process_is_counted_once_for_its_threads_and_once_for_each_rank_of_its_own()
    {
        var spec = Specs.Of(data: 2);
        double once = HostAccount.Uncalibrated.ContextBytes!.Value,
            messages = 28 << 20;
        Assert.Equal(once + 2 * messages, Of(spec, threads: false).Of(0, 2) - Of(spec).Of(0, 2), 1.0);
        Assert.Equal(Of(spec, threads: false).Of(0, 1) * 2, Of(spec, threads: false).Of(0, 2), 1.0);
    }

    /// <summary>Parameters and both moments in fp32, and bf16 parameters besides: 14 bytes a parameter.</summary>
    [Fact]
    public void A_save_behind_training_has_a_buffer_of_the_whole_state()
    {
        var spec = Specs.Of() with { ActivationBytes = 2 };
        double parameters = Enumerable.Range(0, spec.Model.BlockCount).Sum(block => (double)ParameterCount.OfBlock(spec, block));
        Assert.Equal(14 * parameters, Of(spec, savesBehind: true).Of(0, 1) - Of(spec).Of(0, 1), 1.0);
    }

    [Fact]
    public void Least_leaves_out_what_an_allocator_wastes_and_the_stage_with_the_head_is_the_heaviest()
    {
        var account = Of(Specs.Of(pipeline: 2));
        Assert.Equal(
            account.Of(0)["fragmentation"] + account.Of(1)["fragmentation"],
            account.Of(0, 2) - account.Of(0, 2, HostBytes.Least),
            1.0
        );
        Assert.Equal([0, 1], new[] { account.Of(0).Rank, account.Of(1).Rank });
    }

    /// <summary>
    /// Parameters, gradients, two moments, two packed copies, and three parts in the buffer of a save: 36 bytes a parameter.
    /// </summary>
    [Fact]
    public void A_critic_costs_what_a_model_costs()
    {
        var spec = Specs.Of() with { ActivationBytes = 4 };
        var score = MemoryPlan.Scoring(spec);
        double[] counts = [.. Enumerable.Range(0, spec.Model.BlockCount).Select(block => (double)ParameterCount.OfBlock(score, block))];
        double more =
            Of(spec with { Companions = new CompanionModels { HasCritic = true } }, savesBehind: true).Of(0, 1, HostBytes.Least)
            - Of(spec, savesBehind: true).Of(0, 1, HostBytes.Least);
        // The embedding is not packed.
        Assert.Equal(36 * counts.Sum() - 8 * counts[0], more, 1.0);
    }

    /// <summary>Threads have the gathered parameters in common.</summary>
    [Fact]
    public void Under_zero_3_threads_hold_the_parameters_once()
    {
        var spec = Specs.Of(data: 2, zero: 3);
        Assert.True(
            Of(spec).Of(0)["gathered parameters, unreduced gradients"]
                < Of(spec, threads: false).Of(0)["gathered parameters, unreduced gradients"]
        );
        Assert.Equal(0, Of(spec).Of(0)["packed weights"]);
    }
}
