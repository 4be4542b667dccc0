namespace Uniscale.Programs.Checking;

/// <summary>What the checker looks up of a layout again and again.</summary>
internal sealed class CheckedLayout
{
    private readonly int[] _stageOfBlock;

    public CheckedLayout(StepSpecification spec)
    {
        Spec = spec;
        var partition = StagePartition.Of(spec);
        _stageOfBlock = Enumerable.Range(0, spec.Model.BlockCount).Select(partition.StageOf).ToArray();
        BlocksOfStage = Enumerable.Range(0, spec.Mesh.Pipeline).Select(stage => partition.BlocksOf(stage).ToArray()).ToArray();
    }

    public StepSpecification Spec { get; }

    /// <summary>Blocks of each stage.</summary>
    public int[][] BlocksOfStage { get; }

    public int StageOf(int block) => _stageOfBlock[block];
}
