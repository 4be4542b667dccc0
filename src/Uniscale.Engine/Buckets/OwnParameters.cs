using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel;
using Uniscale.Programs;

namespace Uniscale.Engine.Buckets;

/// <summary>
/// A block of a rank's stage with the parameters that it brings: a function of the model, the layout and the rank's place.
/// </summary>
/// <param name="Number">Number of the block in the row.</param>
/// <param name="Block">The block.</param>
/// <param name="Parameters">As this rank holds them. A tied head whose embedding lies on the same rank brings no matrix of its own: it
/// reads the embedding's.</param>
public sealed record OwnParameters(int Number, Block Block, IReadOnlyList<LocalParameter> Parameters)
{
    /// <summary>Blocks of a rank, in the order of the row.</summary>
    /// <param name="row">All blocks of the model.</param>
    /// <param name="specification">The layout.</param>
    /// <param name="place">The rank's place in the mesh.</param>
    public static IEnumerable<OwnParameters> Of(IReadOnlyList<Block> row, StepSpecification specification, Coordinate place)
    {
        var plan = new ShardingPlan(specification.Model, specification.Mesh.Tensor, place.Tensor);
        var taken = new HashSet<string>();
        string embedding = row[0].Parameters[0].Name;
        foreach (int number in StagePartition.Of(specification).BlocksOf(place.Pipeline))
        {
            // The other end of a tied pipeline speaks for the matrix that both hold.
            bool isCopy = number == specification.Model.Head && specification.TiedAcrossStages;
            yield return new OwnParameters(
                number,
                row[number],
                [
                    .. row[number]
                        .Parameters.Where(spec => taken.Add(spec.Name))
                        .Select(plan.Local)
                        .Select(parameter => isCopy && parameter.Spec.Name == embedding ? parameter with { IsOwner = false } : parameter),
                ]
            );
        }
    }
}
