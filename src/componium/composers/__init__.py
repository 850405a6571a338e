"""Models that write scores, one file or folder each; `componium.registry` names them all."""
