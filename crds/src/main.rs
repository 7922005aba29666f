//! Prints the CustomResourceDefinition as YAML, as it is committed in `charts/whiteboard-crds/templates`.

fn main() -> std::io::Result<()> {
    use std::io::Write;
    std::io::stdout().write_all(crds::crd_yaml().as_bytes())
}
