using Uniscale.Programs.Memory;

namespace Uniscale.Programs.Tests.Memory;

/// <summary>What runs that learn from answers hold beside the model that is trained.</summary>
public class CompanionMemoryTests
{
    private static readonly StepSpecification Alone = new()
    {
        Model = new ModelShape(2, 64, 4, 2, 16, 128, 512, 64, GatedFfn: true, TiedEmbeddings: false),
        Mesh = new MeshShape(1, 2, 1, 1),
        Microbatches = 1,
        MicrobatchSize = 1,
    };

    private static MemoryPlan Of(StepSpecification spec) => MemoryPlan.Of(spec, ProgramGenerator.Generate(spec, 0));

    private static StepSpecification With(CompanionModels companions, int zero = 0) =>
        Alone with
        {
            Companions = companions,
            ZeroStage = zero,
            ZeroGroup = zero == 0 ? 1 : 2,
        };

    /// <summary>fp32: 4 bytes a parameter that is read, 16 of the critic, whose head has a row in place of the vocabulary.</summary>
    [Fact]
    public void A_reference_has_parameters_alone_and_a_critic_has_all()
    {
        long whole = ParameterCount.OfModel(Alone.Model),
            scoring = ParameterCount.OfModel(Alone.Model with { ScoreHead = true });
        var plan = Of(
            With(
                new CompanionModels
                {
                    References = 1,
                    Scorers = 2,
                    HasCritic = true,
                }
            )
        );
        Assert.Equal(4 * (whole + 2 * scoring), plan.FrozenBytes);
        Assert.Equal(16 * scoring, plan.CriticBytes);
        Assert.Equal((0, 0, 0), (Of(Alone).FrozenBytes, Of(Alone).CriticBytes, Of(Alone).DrawingBytes));
        Assert.Equal(Of(Alone).TotalBytes + plan.FrozenBytes + plan.CriticBytes, plan.TotalBytes);
    }

    [Fact]
    public void Under_zero_3_they_are_sharded_and_drawing_gathers_the_model()
    {
        var companions = new CompanionModels
        {
            References = 1,
            HasCritic = true,
            Drawn = 3,
            DrawnTokens = 16,
        };
        var (whole, sharded) = (Of(With(companions)), Of(With(companions, zero: 3)));
        Assert.Equal(whole.FrozenBytes / 2, sharded.FrozenBytes);
        Assert.Equal(whole.CriticBytes / 2, sharded.CriticBytes);
        Assert.Equal(4 * ParameterCount.OfModel(Alone.Model), sharded.DrawingBytes - whole.DrawingBytes);
    }

    /// <summary>Keys and values of two layers, two heads of 16, for four answers of at most 64 tokens.</summary>
    [Fact]
    public void Keys_and_values_are_of_the_answers_drawn_together_and_one_that_has_just_ended() =>
        Assert.Equal(4 * 64 * 2 * 2 * 2 * 16 * 4, Of(With(new CompanionModels { Drawn = 3, DrawnTokens = 16 })).DrawingBytes);
}
