namespace Uniscale.Programs.Tests;

public class SpecificationRulesTests
{
    public static TheoryData<string, StepSpecification> Refused =>
        new()
        {
            { "set parallel.tensor to 2", Specs.Of(tensor: 3) },
            { "set model.ffn to 258", With(Specs.Of(tensor: 2), model => model with { Ffn = 257 }) },
            { "set model.kv_heads to 2", With(Specs.Of(), model => model with { KvHeads = 3 }) },
            { "to at most 8", Specs.Of(pipeline: 3, chunks: 3, schedule: "interleaved-1f1b") },
            { "set parallel.schedule to interleaved-1f1b, or parallel.chunks to 1", Specs.Of(pipeline: 2, chunks: 2) },
            { "choose one of 1f1b, gpipe, interleaved-1f1b, zero-bubble", Specs.Of(schedule: "2f2b") },
            { "set it to 2 or 4, or 0 for all", Specs.Of(data: 4, zero: 1, group: 3) },
            { "set it to 0, 1, 2 or 3", Specs.Of(data: 2, zero: 4) },
            { "model.context is 32, which the layout cannot cut into 6 equal pieces: set it to 36", Specs.Of(context: 3) },
            {
                "model.context is 30, which the layout cannot cut into 4 equal pieces: set it to 32",
                With(Specs.Of(tensor: 4) with { SequenceParallel = true }, model => model with { Context = 30 })
            },
            { "raise the global batch", Specs.Of(microbatches: 0) },
        };

    [Theory]
    [MemberData(nameof(Refused), DisableDiscoveryEnumeration = true)]
    public void ALayoutThatCannotWorkIsRefusedWithWhatToChange(string hint, StepSpecification spec) =>
        Assert.Contains(hint, Assert.Throws<LayoutException>(() => new ProgramGenerator(spec)).Message);

    [Fact]
    public void MoreTensorRanksThanKeyValueHeadsAreAllowed() =>
        SpecificationRules.Check(With(Specs.Of(tensor: 4), model => model with { KvHeads = 2 }));

    private static StepSpecification With(StepSpecification spec, Func<ModelShape, ModelShape> change) =>
        spec with
        {
            Model = change(spec.Model),
        };
}
