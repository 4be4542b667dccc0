using Uniscale.Configuration;
using Uniscale.Planning.Clusters;
using Uniscale.Planning.Plans;
using Uniscale.Planning.Published;
using Uniscale.Planning.Reports;
using Uniscale.Planning.Search;

namespace Uniscale.Planning.Tests.Search;

public class LayoutSearchTests
{
    private static readonly Cluster Selene = ClusterCatalog.Load("a100-80-selene");

    /// <summary>What Megatron-LM had in 2022.</summary>
    private static SearchSpace Megatron(StepSpecification spec) =>
        new()
        {
            Ranks = spec.Mesh.Size,
            GlobalBatch = spec.Microbatches * spec.MicrobatchSize * spec.Mesh.Data,
            MostTensor = 8,
            Schedules = ["1f1b", "interleaved-1f1b"],
            ZeroStages = [0],
            Recomputations = [RecomputeKind.Selective, RecomputeKind.Block],
            Chunks = [1, 2, 3, 4],
            Top = 3,
        };

    /// <summary>Korthikanti et al., 2022, table 5: axes and chunks that were published are among the best three.</summary>
    [Theory]
    [InlineData("22B")]
    [InlineData("175B")]
    [InlineData("530B")]
    [InlineData("1T")]
    public void The_published_layout_is_among_the_best_three(string model)
    {
        var spec = MegatronRows.Korthikanti.First(row => row.Name.StartsWith(model + " SP", StringComparison.Ordinal)).Spec;
        var found = new LayoutSearch(Selene, Selene.StackOf("megatron"), Megatron(spec)).Run(spec);
        Assert.Contains(
            found.Best,
            layout =>
                layout.Plan.Spec.Mesh.Tensor == spec.Mesh.Tensor
                && layout.Plan.Spec.Mesh.Pipeline == spec.Mesh.Pipeline
                && layout.Plan.Spec.Chunks == spec.Chunks
        );
    }

    [Fact]
    public void Bounds_are_below_what_a_simulation_says()
    {
        var space = Megatron(Specs.Of()) with
        {
            Ranks = 16,
            GlobalBatch = 32,
            ZeroStages = [0, 1, 2, 3],
            Schedules = ["1f1b", "interleaved-1f1b", "zero-bubble"],
        };
        var stack = Selene.StackOf("");
        int checkedCount = 0;
        foreach (var spec in space.Of(Specs.Of()).Where((_, i) => i % 7 == 0))
        {
            LayoutBounds bounds;
            try
            {
                bounds = new LayoutBounds(spec, Selene, stack);
            }
            catch (LayoutException)
            {
                continue;
            }
            var planner = new StepPlanner(spec, Selene);
            Assert.True(bounds.Seconds <= planner.Price(stack).Seconds * (1 + 1e-9), LayoutSearch.Describe(spec));
            Assert.True(
                bounds.Bytes <= planner.MemoryOfStages(stack).Max(account => account.KnownBytes) * (1 + 1e-9),
                LayoutSearch.Describe(spec)
            );
            checkedCount++;
        }
        Assert.True(checkedCount > 20);
    }

    [Fact]
    public void Pruning_loses_nothing()
    {
        var space = Megatron(Specs.Of()) with { Ranks = 8, GlobalBatch = 16, Top = 3, FrontStep = 0 };
        var stack = Selene.StackOf("");
        var found = new LayoutSearch(Selene, stack, space).Run(Specs.Of());
        var all = space.Of(Specs.Of()).Select(Priced).OfType<(double Seconds, double Bytes)>().ToArray();
        Assert.Equal(all.Min(layout => layout.Seconds), found.Best[0].Plan.Seconds, 12);
        Assert.Equal(found.Considered, found.Priced.Count + found.Rejections.Sum(rejection => rejection.Count));
        var front = all.Where(layout =>
                !all.Any(other => other.Seconds <= layout.Seconds && other.Bytes <= layout.Bytes && other != layout)
            )
            .Distinct()
            .OrderBy(layout => layout.Seconds);
        Assert.Equal(front, found.Front.Select(layout => (layout.Plan.Seconds, layout.Heaviest.KnownBytes)));
        Assert.True(found.Priced.Count < all.Length, $"{found.Priced.Count} of {all.Length} were simulated");

        (double, double)? Priced(StepSpecification spec)
        {
            try
            {
                var planner = new StepPlanner(spec, Selene);
                return (planner.Price(stack).Seconds, planner.MemoryOfStages(stack).Max(account => account.KnownBytes));
            }
            catch (LayoutException)
            {
                return null;
            }
        }
    }

    [Fact]
    public void A_page_shows_the_front_as_a_picture()
    {
        var found = new LayoutSearch(Selene, Selene.StackOf(""), Megatron(Specs.Of()) with { Ranks = 4, GlobalBatch = 8, Top = 3 }).Run(
            Specs.Of()
        );
        string page = PlanPage.OfSearch("a <name>", Selene, found);
        Assert.Single(page.Split("<svg").Skip(1));
        Assert.Contains("The runner-up loses", page);
        Assert.DoesNotContain("src=", page);
    }

    [Fact]
    public void A_model_that_fits_nowhere_is_refused_with_what_it_needs()
    {
        var spec = MegatronRows.Korthikanti.First(row => row.Name.StartsWith("1T", StringComparison.Ordinal)).Spec;
        var space = Megatron(spec) with { Ranks = 8, GlobalBatch = 512 };
        string refusal = Assert
            .Throws<UserErrorException>(() => new LayoutSearch(Selene, Selene.StackOf("megatron"), space).Run(spec))
            .Message;
        Assert.Contains("No layout of 8 × A100", refusal);
    }
}
